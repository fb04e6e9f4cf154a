"""Many small segments into few files: the same rows, each session's still checked by its own SHA-256.

A compacted file is read back before it gets its name, and only then do the files that it stands for go. A kill
at any moment leaves both or one of them, and a reader takes each segment once; running it again finishes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from probe.errors import StoreError
from probe.metrics import SAMPLE
from probe.store.documents import SCHEMA_VERSION, Unreadable
from probe.store.layout import SegmentFile, pack_name
from probe.store.listing import Listing, stored_segments
from probe.store.lock import reading, removing
from probe.store.packs import Entry, Pack, metadata, read_entry, read_packs, read_stored
from probe.store.parquet import Connection, literal, write_query
from probe.store.segments import layout_text

PACK_ROWS = 2_000_000
"""A compacted file is full then: some 30 MB."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What was done in a store. `waiting`: superseded files that a reader kept from being removed."""

    written: int
    removed: int
    waiting: int
    problems: tuple[str, ...]


def compact_segments(connection: Connection, root: Path, pack_rows: int = PACK_ROWS) -> Packed:
    """Put together what is in small files; remove what is superseded. Raises StoreError, losing nothing."""
    with reading(root):
        listing = stored_segments(root, connection=connection)
    problems = list(listing.problems)
    written = 0
    for sources in _partitions(listing, pack_rows):
        chosen, wrong = _readable(connection, sources)
        problems += wrong
        for part in _parts(chosen, pack_rows):
            written += _write(connection, part)
    removed, waiting = sweep(connection, root)
    return Packed(written, removed, waiting, tuple(problems))


def sweep(connection: Connection, root: Path) -> tuple[int, int]:
    """Remove the files whose segments all lie in compacted files too: how many, and how many must wait."""
    with reading(root):
        superseded = stored_segments(root, connection=connection).superseded
    if not superseded:
        return 0, 0
    with removing(root) as allowed:
        superseded = stored_segments(root, connection=connection).superseded
        if not allowed:
            return 0, len(superseded)
        for path in superseded:
            path.unlink(missing_ok=True)
        return len(superseded), 0


@dataclass(frozen=True, slots=True)
class _Session:
    """The segments of one session in one partition, their rows verified."""

    entry: Entry
    files: tuple[SegmentFile, ...]


def _partitions(listing: Listing, pack_rows: int) -> Iterator[list[SegmentFile]]:
    """The segments to put together, by folder: those in small files, and in packs that overlap."""
    sizes = {pack.path: pack.rows for pack in listing.packs}
    whole = {pack.path: len(pack.segments()) for pack in listing.packs}
    used: dict[Path, int] = {}
    for file in listing.files:
        used[file.path] = used.get(file.path, 0) + 1

    def small(file: SegmentFile) -> bool:
        if file.entry is None:
            return True
        return sizes[file.path] < pack_rows // 2 or used[file.path] < whole[file.path]

    chosen = sorted(filter(small, listing.files), key=lambda file: file.path.parent)
    for _, group in groupby(chosen, key=lambda file: file.path.parent):
        files = sorted(group)
        if len({file.path for file in files}) > 1:
            yield files


def _readable(connection: Connection, files: Sequence[SegmentFile]) -> tuple[list[_Session], list[str]]:
    """Each session's segments that are whole; what is damaged stays where it is."""
    sessions = []
    problems: list[str] = []
    for _, group in groupby(files, key=lambda file: file.key[:2]):
        segments, wrong = read_stored(connection, list({file.number: file for file in group}.values()))
        problems += wrong
        # Rows of an older layout stay in files of their own: read, they would get today's.
        kept = [segment for segment in segments if segment.layout == layout_text(SAMPLE)]
        if not kept:
            continue
        digest = hashlib.sha256()
        for segment in kept:
            digest.update(np.ascontiguousarray(segment.rows).view(np.uint8).data)
        entry = Entry(
            kept[0].file.path,
            layout_text(SAMPLE),
            kept[-1].record,
            tuple(segment.file.number for segment in kept),
            tuple(len(segment.rows) for segment in kept),
            digest.hexdigest(),
            0,
        )
        sessions.append(_Session(entry, tuple(segment.file for segment in kept)))
    return sessions, problems


def _parts(sessions: Iterable[_Session], pack_rows: int) -> Iterator[list[_Session]]:
    """As many sessions as go into one file."""
    part: list[_Session] = []
    rows = 0
    for session in sessions:
        if part and rows + session.entry.rows > pack_rows:
            yield part
            part, rows = [], 0
        part.append(session)
        rows += session.entry.rows
    if part:
        yield part


def _write(connection: Connection, part: list[_Session]) -> int:
    """Write one pack unless it is there already; how many were written."""
    files = [file for session in part for file in session.files]
    if len({file.path for file in files}) < 2:
        return 0
    path = files[0].path.parent / pack_name(file.key for file in files)
    if path.exists():
        return 0
    described = metadata(layout_text(SAMPLE), [session.entry for session in part], SCHEMA_VERSION)
    query = " UNION ALL ".join(_selects(files))
    write_query(connection, path, query, described, lambda written: verify(connection, written, path))
    return 1


def verify(connection: Connection, written: Path, name: Path) -> Pack:
    """Read a pack back, all of it. Raises StoreError: nothing has been removed for its sake yet."""
    packs, problems = read_packs(connection, [written])
    try:
        for entry in packs[0].entries if packs else ():
            read_entry(connection, entry)
    except Unreadable as error:
        problems.append(str(error))
    if problems:
        raise StoreError(f"cannot write {name}: what was written reads back differently; nothing was removed")
    return packs[0]


def _selects(files: Sequence[SegmentFile]) -> Iterator[str]:
    """The rows of the segments in order: neighbouring files, and neighbouring rows of a pack, at once."""
    for alone, group in groupby(files, key=lambda file: file.entry is None):
        chosen = list(group)
        if alone:
            paths = ", ".join(literal(str(file.path)) for file in chosen)
            yield f"SELECT * FROM read_parquet([{paths}], hive_partitioning = false)"  # noqa: S608 - ours
            continue
        for path, first, last in _ranges(chosen):
            yield (
                "SELECT * EXCLUDE (file_row_number) "  # noqa: S608 - ours
                f"FROM read_parquet({literal(str(path))}, hive_partitioning = false, file_row_number = true) "
                f"WHERE file_row_number >= {first} AND file_row_number < {last}"
            )


def _ranges(files: Iterable[SegmentFile]) -> Iterator[tuple[Path, int, int]]:
    """Rows of packs, from the first to before the last, joined where they touch."""
    open_range: tuple[Path, int, int] | None = None
    for file in files:
        assert file.entry is not None
        first, last = (file.entry.first_row + at for at in file.entry.span(file.number))
        if open_range is not None and open_range[0] == file.path and open_range[2] == first:
            open_range = (file.path, open_range[1], last)
            continue
        if open_range is not None:
            yield open_range
        open_range = (file.path, first, last)
    if open_range is not None:
        yield open_range
