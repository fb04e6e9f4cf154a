"""A segment: some seconds of one session's packets as one immutable Parquet file.

Columns: those of `probe.metrics.SAMPLE` with NEVER as NULL, and labels that let a foreign reader use
the file alone (`wall_offset_ns` added to any client time is Unix time; `window` is an SQL keyword and
wants quotes). The key/value metadata holds the session's record as it was known when the segment was
closed, so a killed run can be put together again, and a SHA-256 over the rows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from probe.metrics import NEVER, SAMPLE, TIME_FIELDS, Rows, empty_rows
from probe.records import SessionRecord
from probe.store.documents import SCHEMA_VERSION, Unreadable, check_version, encode, parse_record
from probe.store.layout import SegmentFile, segment_path, utc_date
from probe.store.localtime import local_time
from probe.store.parquet import Connection, labels, read_columns, read_metadata, write_table

_INTEGER = re.compile(r"u?int(8|16|32|64)")
_FIELD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment file holds; `record` is the session as it was known when the file was written.

    `layout` describes the rows as they are stored; `rows` have today's layout.
    """

    file: SegmentFile
    record: SessionRecord
    rows: Rows
    layout: str


def write_segment(connection: Connection, root: Path, record: SessionRecord, rows: Rows, number: int) -> Path:
    """Store `rows` (at least one) of the session as its segment `number`. Raises StoreError."""
    path = segment_path(root, record, utc_date(rows, record), number)
    local = local_time(rows, record)
    arrays = {name: rows[name] for name in SAMPLE.names or ()}
    arrays |= {"local_day": local.day, "local_hour": local.hour, "utc_offset_s": local.utc_offset_s}
    due = f"CASE WHEN scheduled_ns <> {NEVER} THEN"
    columns = {
        **labels(record),
        "wall_offset_ns": f"{record.wall_offset_ns}::BIGINT",
        "local_date": f"{due} DATE '1970-01-01' + local_day END",
        "local_hour": f"{due} local_hour END",
        "utc_offset_s": f"{due} utc_offset_s END",
        **{name: _stored(name) for name in SAMPLE.names or ()},
    }
    metadata = {
        "schema_version": str(SCHEMA_VERSION),
        "run_id": record.run_id,
        "session": str(record.index),
        "segment": str(number),
        "rows": str(len(rows)),
        "sample": layout_text(SAMPLE),
        "sha256": digest(rows),
        "record": encode(record.to_json()),
    }
    write_table(connection, path, arrays, columns, metadata)
    return path


def read_segments(connection: Connection, files: Sequence[SegmentFile]) -> tuple[list[Segment], list[str]]:
    """The segments of one session and a sentence for each file that cannot be used.

    All files are read at once, which is ten times quicker; only if that fails, one by one.
    """
    import duckdb

    if not files:
        return [], []
    try:
        return _read_together(connection, files), []
    except Unreadable as error:
        reason = str(error)
    except (duckdb.Error, ValueError, TypeError) as error:
        reason = f"{files[0].path} is torn or no Parquet file of packets: {short(error)}"
    if len(files) == 1:
        return [], [reason]
    segments: list[Segment] = []
    problems: list[str] = []
    for file in files:
        good, bad = read_segments(connection, [file])
        segments += good
        problems += bad
    return segments, problems


def usable(connection: Connection, files: Sequence[SegmentFile]) -> tuple[list[SegmentFile], list[str]]:
    """The segments in files of their own that are what their names say, and a sentence for each other. No packet is
    read: all their metadata at once, and one by one only if that fails."""
    import duckdb

    if not files:
        return [], []
    try:
        entries = read_metadata(connection, [file.path for file in files])
    except duckdb.Error as error:
        if len(files) == 1:
            return [], [f"{files[0].path} is torn or no Parquet file of packets: {short(error)}"]
        halves = [usable(connection, half) for half in (files[::2], files[1::2])]
        return [file for good, _ in halves for file in good], [text for _, bad in halves for text in bad]
    found: list[SegmentFile] = []
    problems: list[str] = []
    for file, entry in zip(files, entries, strict=True):
        try:
            _check_header(file, entry)
            found.append(file)
        except (Unreadable, ValueError) as error:
            problems.append(str(error))
    return found, problems


def _read_together(connection: Connection, files: Sequence[SegmentFile]) -> list[Segment]:
    """Every file or an exception; the files must agree on the layout of a row."""
    paths = [file.path for file in files]
    entries = read_metadata(connection, paths)
    headers = [_check_header(file, entry) for file, entry in zip(files, entries, strict=True)]
    layout = parse_layout(files[0].path, entries[0]["sample"])
    for file, entry in zip(files, entries, strict=True):
        if entry["sample"] != entries[0]["sample"]:
            raise Unreadable(f"{file.path} has other columns than the segments beside it")
    columns = {name: loaded(name) for name in layout.names or ()}
    arrays = read_columns(connection, paths, columns)
    counts = [int(entry["rows"]) for entry in entries]
    stored = np.zeros(len(next(iter(arrays.values()))), layout)
    for name, values in arrays.items():
        stored[name] = values
    if sum(counts) != len(stored):
        raise Unreadable(f"{paths[0]} is damaged: it has not the number of rows that it says")
    segments = []
    starts = np.cumsum([0, *counts])
    for index, file in enumerate(files):
        rows = stored[starts[index] : starts[index + 1]]
        if digest(rows) != entries[index]["sha256"]:
            raise Unreadable(f"{file.path} is damaged: its rows do not match their checksum")
        segments.append(Segment(file, headers[index], as_sample(rows), entries[index]["sample"]))
    return segments


def read_records(connection: Connection, files: Sequence[SegmentFile]) -> list[SessionRecord]:
    """The session's record in each segment file that can be used; no packet is read."""
    import duckdb

    records = []
    for file in files:
        try:
            records.append(_check_header(file, read_metadata(connection, [file.path])[0]))
        except (Unreadable, duckdb.Error, ValueError):
            continue
    return records


def _check_header(file: SegmentFile, entry: dict[str, str]) -> SessionRecord:
    """The record in a segment's metadata, once it is clear that the file is what its name says."""
    if not {"schema_version", "run_id", "session", "segment", "rows", "record"} <= entry.keys():
        raise Unreadable(f"{file.path} is not a packet segment of probe (foreign Parquet file)")
    check_version(file.path, int(entry["schema_version"]))
    if not {"sample", "sha256"} <= entry.keys():
        raise Unreadable(f"{file.path} lacks the description of its rows")
    inside = (entry["run_id"], int(entry["session"]), int(entry["segment"]))
    if inside != (file.run_id, file.session, file.number):
        raise Unreadable(f"{file.path} holds run {inside[0]}, session {inside[1]}: it was renamed")
    return parse_record(file.path, json.loads(entry["record"]))


def layout_text(dtype: np.dtype[np.void]) -> str:
    return json.dumps([[name, str(dtype[name])] for name in dtype.names or ()])


def parse_layout(path: Path, text: str) -> np.dtype[np.void]:
    """The layout of the rows when they were written: fields may have been added since."""
    fields = [(str(name), str(kind)) for name, kind in json.loads(text)]
    for name, kind in fields:
        if not (_FIELD.fullmatch(name) and _INTEGER.fullmatch(kind)):
            raise Unreadable(f"{path} describes a column that is none of probe's: {name} {kind}")
    return np.dtype(fields)


def as_sample(rows: Rows) -> Rows:
    """Rows in today's layout: unknown fields dropped, missing ones as if nothing had happened."""
    if rows.dtype == SAMPLE:
        return rows
    complete = empty_rows(len(rows))
    for name in set(SAMPLE.names or ()) & set(rows.dtype.names or ()):
        complete[name] = rows[name]
    return complete


def _stored(name: str) -> str:
    return f"nullif({name}, {NEVER})" if name in TIME_FIELDS else name


def loaded(name: str) -> str:
    return f"coalesce({name}, {NEVER})" if name.endswith("_ns") else name


def digest(rows: Rows) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows).view(np.uint8).data).hexdigest()


def short(error: BaseException) -> str:
    """The first line of what DuckDB says, without the file's name once more."""
    told = str(error).strip().partition("\n")[0].partition(" '")[0]
    return "its end is missing" if "No magic bytes" in told else told[:200]
