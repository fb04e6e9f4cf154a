"""A compacted file ("pack"): many segments of one partition, each still known by its number.

Rows lie by run, session and segment, with the columns of a segment. The key/value metadata lists the
sessions: the newest record, the segments' numbers and row counts, and a SHA-256 over the session's rows. A
segment is the same wherever it lies, so a reader that finds it in a pack and in a file of its own takes one of
them: at no moment of a compaction, and after no kill, is a packet missing or there twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from probe.metrics import Rows
from probe.records import SessionRecord
from probe.store.documents import Unreadable, check_version, encode, parse_record
from probe.store.layout import SegmentFile
from probe.store.parquet import Connection, literal, read_metadata
from probe.store.segments import Segment, as_sample, loaded, parse_layout, read_segments, short

KIND = "compacted segments"


@dataclass(frozen=True, slots=True)
class Entry:
    """The segments of one session in a pack; `first_row` is where the session begins in the file."""

    path: Path
    layout: str
    record: SessionRecord
    numbers: tuple[int, ...]
    counts: tuple[int, ...]
    sha256: str
    first_row: int

    @property
    def rows(self) -> int:
        return sum(self.counts)

    def segments(self) -> list[SegmentFile]:
        run_id, index = self.record.run_id, self.record.index
        return [SegmentFile(run_id, index, number, self.path, self) for number in self.numbers]

    def span(self, number: int) -> tuple[int, int]:
        """The first row of a segment within the session, and the one after its last."""
        at = self.numbers.index(number)
        first = sum(self.counts[:at])
        return first, first + self.counts[at]

    def to_json(self) -> dict[str, Any]:
        return {
            "record": self.record.to_json(),
            "segments": list(self.numbers),
            "rows": list(self.counts),
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True)
class Pack:
    """A compacted file."""

    path: Path
    layout: str
    entries: tuple[Entry, ...]

    @property
    def rows(self) -> int:
        return sum(entry.rows for entry in self.entries)

    def segments(self) -> list[SegmentFile]:
        return [file for entry in self.entries for file in entry.segments()]


def metadata(layout: str, entries: Sequence[Entry], version: int) -> dict[str, str]:
    """The key/value metadata of a pack."""
    return {
        "schema_version": str(version),
        "kind": KIND,
        "sample": layout,
        "rows": str(sum(entry.rows for entry in entries)),
        "sessions": encode({"sessions": [entry.to_json() for entry in entries]}),
    }


def read_packs(connection: Connection, paths: Sequence[Path]) -> tuple[list[Pack], list[str]]:
    """What each compacted file holds, and a sentence for each that cannot be used. No packet is read."""
    import duckdb

    if not paths:
        return [], []
    try:
        read = read_metadata(connection, paths)
        return [_pack(path, entry) for path, entry in zip(paths, read, strict=True)], []
    except Unreadable as error:
        reason = str(error)
    except (duckdb.Error, ValueError, TypeError, KeyError) as error:
        reason = f"{paths[0]} is torn or no compacted file of probe: {short(error)}"
    if len(paths) == 1:
        return [], [reason]
    packs: list[Pack] = []
    problems: list[str] = []
    for path in paths:
        good, bad = read_packs(connection, [path])
        packs += good
        problems += bad
    return packs, problems


def _pack(path: Path, read: dict[str, str]) -> Pack:
    if read.get("kind") != KIND:
        raise Unreadable(f"{path} is not a compacted file of probe (foreign Parquet file)")
    check_version(path, int(read["schema_version"]))
    entries = []
    first = 0
    for told in json.loads(read["sessions"])["sessions"]:
        numbers, counts = (tuple(map(int, told[name])) for name in ("segments", "rows"))
        if len(numbers) != len(counts):
            raise Unreadable(f"{path} is damaged: its list of segments is not consistent")
        record = parse_record(path, told["record"])
        entries.append(Entry(path, read["sample"], record, numbers, counts, str(told["sha256"]), first))
        first += sum(counts)
    return Pack(path, read["sample"], tuple(entries))


def read_stored(connection: Connection, files: Sequence[SegmentFile]) -> tuple[list[Segment], list[str]]:
    """The segments of one session, wherever they lie, in order; and a sentence for each unusable file."""
    alone = [file for file in files if file.entry is None]
    segments, problems = read_segments(connection, alone)
    packed = [file for file in files if file.entry is not None]
    for _, group in groupby(sorted(packed, key=lambda file: file.path), key=lambda file: file.path):
        chosen = list(group)
        entry = chosen[0].entry
        assert entry is not None
        try:
            rows = read_entry(connection, entry)
        except Unreadable as error:
            problems.append(str(error))
            continue
        segments += [
            Segment(file, entry.record, rows[slice(*entry.span(file.number))], entry.layout)
            for file in chosen
        ]
    return sorted(segments, key=lambda segment: segment.file.number), problems


def read_entry(connection: Connection, entry: Entry) -> Rows:
    """All rows of one session in a pack, in today's layout, checked. Raises Unreadable."""
    import duckdb

    layout = parse_layout(entry.path, entry.layout)
    select = ", ".join(f'{loaded(name)} AS "{name}"' for name in layout.names or ())
    run_id, index = entry.record.run_id, entry.record.index
    try:
        arrays = connection.execute(
            f"SELECT {select} FROM read_parquet(?, hive_partitioning = false) "  # noqa: S608 - ours
            f"WHERE run_id = {literal(run_id)} AND session = {index}",
            [str(entry.path)],
        ).fetchnumpy()
        rows = np.zeros(len(next(iter(arrays.values()))), layout)
        for name, values in arrays.items():
            rows[name] = values
    except (duckdb.Error, ValueError, TypeError) as error:
        raise Unreadable(f"{entry.path} is torn or no Parquet file of packets: {short(error)}") from error
    if len(rows) != entry.rows or hashlib.sha256(rows.view(np.uint8).data).hexdigest() != entry.sha256:
        raise Unreadable(
            f"{entry.path} is damaged: the rows of session {index} of run {run_id} "
            "do not match their checksum"
        )
    return as_sample(rows)
