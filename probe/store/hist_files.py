"""Histograms on disk: one a session, or many put together; rebuilt from packets where there is none.

A compacted histogram holds the same rows, still labelled with their session, so nothing is ever added up
twice: where a session is in several files, the one with the most packets counts (a killed session's may have
been rebuilt before its last segments were imported).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from probe.metrics import Rows
from probe.records import SessionRecord
from probe.store import layout
from probe.store.documents import SCHEMA_VERSION, Unreadable, check_version
from probe.store.histograms import INFINITE, WIDTH, count_delays, write_histogram
from probe.store.lock import reading, removing
from probe.store.parquet import Connection, literal, read_metadata, write_query
from probe.store.segments import short

KIND = "compacted histograms"
Key = tuple[str, int]
"""Run id and index of a session."""


@dataclass(frozen=True, slots=True)
class HistogramPart:
    """One session's histogram in a file."""

    key: Key
    path: Path
    packets: int
    packed: bool


@dataclass(frozen=True, slots=True)
class Histograms:
    """`parts` each session once; `hidden` are those of other files that must not be counted as well."""

    parts: dict[Key, HistogramPart]
    hidden: list[HistogramPart]
    problems: list[str]

    @property
    def paths(self) -> list[Path]:
        return sorted({part.path for part in self.parts.values()})

    def only(self, paths: Collection[Path]) -> Histograms:
        """What of it lies in these files."""
        parts = {key: part for key, part in self.parts.items() if part.path in paths}
        return Histograms(parts, [part for part in self.hidden if part.path in paths], self.problems)

    def source(self, hive: bool = True) -> str:
        """The rows that count, as something to select from; with the folders' `country` and `date`."""
        paths = self.paths
        files = ", ".join(literal(str(path)) for path in paths)
        source = f"read_parquet([{files}], hive_partitioning = {hive}, filename = true)"
        twice = self.only(set(paths)).hidden
        if not twice:
            return source
        listed = ", ".join(
            f"({literal(str(part.path))}, {literal(part.key[0])}, {part.key[1]})" for part in twice
        )
        return f"(SELECT * FROM {source} WHERE (filename, run_id, session) NOT IN ({listed}))"  # noqa: S608 - ours


def stored_histograms(connection: Connection, root: Path) -> Histograms:
    """Every session's histogram. List and read within `lock.reading`."""
    packed = layout.pack_files(root, layout.HISTOGRAMS)
    return each_once(*read_parts(connection, packed, layout.histogram_files(root)))


def read_parts(
    connection: Connection, packed: Sequence[Path], alone: Sequence[layout.HistogramFile]
) -> tuple[list[HistogramPart], list[str]]:
    """What compacted histograms and those of one session hold, by their metadata; and what is wrong."""
    parts, problems = _packed(connection, packed)
    more, wrong = _alone(connection, alone)
    return [*parts, *more], [*problems, *wrong]


def each_once(found: Iterable[HistogramPart], problems: list[str]) -> Histograms:
    """Of a session that is in several files the one with the most packets; else the compacted, then the first."""
    parts: dict[Key, HistogramPart] = {}
    hidden = []
    for part in sorted(found, key=lambda part: (not part.packed, part.path)):
        other = parts.setdefault(part.key, part)
        if other is not part:
            more, less = (part, other) if part.packets > other.packets else (other, part)
            parts[part.key] = more
            hidden.append(less)
    return Histograms(parts, hidden, problems)


def rebuild(connection: Connection, root: Path, record: SessionRecord, rows: Rows) -> bool:
    """Write the histogram of a session again from its packets; whether there was anything to write."""
    counts = count_delays(record, rows)
    if not len(counts):
        return False
    write_histogram(connection, root, record, layout.utc_date(rows, record), counts)
    return True


def compact_histograms(connection: Connection, root: Path) -> tuple[int, int, list[str]]:
    """Put a partition's histograms into one file: files written, removed, and what is wrong."""
    with reading(root):
        found = stored_histograms(connection, root)
    written = 0
    parts = sorted(found.parts.values(), key=lambda part: (part.path.parent, part.key))
    for folder, group in groupby(parts, key=lambda part: part.path.parent):
        chosen = list(group)
        if len({part.path for part in chosen}) > 1:
            written += _write(connection, folder, chosen, found)
    with reading(root):
        if not _superseded(stored_histograms(connection, root)):
            return written, 0, found.problems
    with removing(root) as allowed:
        old = _superseded(stored_histograms(connection, root)) if allowed else []
        for path in old:
            path.unlink(missing_ok=True)
    return written, len(old), found.problems


def _write(connection: Connection, folder: Path, parts: Sequence[HistogramPart], found: Histograms) -> int:
    path = folder / layout.pack_name((part.key, part.packets) for part in parts)
    if path.exists():
        return 0
    within = Histograms(
        {part.key: part for part in parts},
        [part for part in found.hidden if part.path.parent == folder],
        [],
    )
    metadata = {
        "schema_version": str(SCHEMA_VERSION),
        "kind": KIND,
        "bucket_width": str(WIDTH),
        "infinite_bucket": str(INFINITE),
        "sessions": json.dumps([[*part.key, part.packets] for part in parts]),
    }
    query = (
        f"SELECT * EXCLUDE (filename) FROM {within.source(hive=False)} "  # noqa: S608 - ours
        "ORDER BY run_id, session, local_date, local_hour, utc_offset_s, bucket"
    )
    write_query(connection, path, query, metadata)
    return 1


def _superseded(found: Histograms) -> list[Path]:
    """Files nothing of which counts. A file of its own is only given up for a compacted one."""
    used = set(found.paths)
    packed = {part.path for part in found.parts.values() if part.packed}
    gone = {part.path for part in found.hidden if part.path not in used}
    folders = {path.parent for path in packed}
    return sorted(path for path in gone if path.parent in folders)


def _packed(connection: Connection, paths: Sequence[Path]) -> tuple[list[HistogramPart], list[str]]:
    parts: list[HistogramPart] = []
    entries, problems = _metadata(connection, paths)
    for path, entry in entries:
        try:
            if entry.get("kind") != KIND:
                raise Unreadable(f"{path} is not a compacted histogram of probe (foreign Parquet file)")
            check_version(path, int(entry["schema_version"]))
            told = json.loads(entry["sessions"])
            parts += [HistogramPart((run, int(index)), path, int(n), True) for run, index, n in told]
        except Unreadable as error:
            problems.append(str(error))
        except (ValueError, TypeError, KeyError) as error:
            problems.append(f"{path} is damaged: {short(error)}")
    return parts, problems


def _alone(
    connection: Connection, files: Sequence[layout.HistogramFile]
) -> tuple[list[HistogramPart], list[str]]:
    parts: list[HistogramPart] = []
    named = {file.path: file for file in files}
    entries, problems = _metadata(connection, list(named))
    for path, entry in entries:
        file = named[path]
        try:
            if "bucket_width" not in entry:
                raise Unreadable(f"{path} is not a histogram of probe (foreign Parquet file)")
            check_version(path, int(entry["schema_version"]))
            if (entry["run_id"], int(entry["session"])) != (file.run_id, file.session):
                raise Unreadable(f"{path} holds run {entry['run_id']}: it was renamed")
            parts.append(HistogramPart((file.run_id, file.session), path, int(entry["packets"]), False))
        except Unreadable as error:
            problems.append(str(error))
        except (ValueError, KeyError) as error:
            problems.append(f"{path} is damaged: {short(error)}")
    return parts, problems


def _metadata(
    connection: Connection, paths: Sequence[Path]
) -> tuple[Iterable[tuple[Path, dict[str, str]]], list[str]]:
    """All at once; one by one only when some file is torn."""
    import duckdb

    if not paths:
        return [], []
    try:
        return list(zip(paths, read_metadata(connection, paths), strict=True)), []
    except duckdb.Error as error:
        if len(paths) == 1:
            return [], [f"{paths[0]} is torn or no Parquet file: {short(error)}"]
    found: list[tuple[Path, dict[str, str]]] = []
    problems: list[str] = []
    for path in paths:
        good, bad = _metadata(connection, [path])
        found += good
        problems += bad
    return found, problems
