"""`keep_raw`: packets older than so much go, and only when asked; histograms and documents stay."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from probe.store import layout
from probe.store.hist_files import Key
from probe.store.listing import Listing, stored_segments
from probe.store.lock import reading, removing
from probe.store.parquet import Connection
from probe.store.rebuilding import all_sessions, record_of
from probe.store.removed import Removed, add_removed, read_removed
from probe.store.sessions import SessionFiles

Keep = Callable[[str], int | None]
"""For how many ns the packets of a run are kept; None = for ever."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Sessions whose packets were given up now, and files that went; `waiting`: a reader kept files."""

    sessions: int
    packets: int
    files: int
    waiting: bool


def remove_old(connection: Connection, root: Path, keep: Keep, safe: set[Key], now: dt.datetime) -> Dropped:
    """Remove the packets of sessions that ended longer ago than `keep` says, by their UTC date.

    Only of sessions in `safe`, whose histograms are there. What is removed is written down first, so a kill
    in between leaves a store that says so; the next time finishes it. Raises StoreError.
    """
    with reading(root):
        listing = stored_segments(root, connection=connection)
        if not (_old(root, listing, keep, safe, now) or _unwanted(root, listing)):
            return Dropped(0, 0, 0, waiting=False)
    with removing(root) as allowed:
        if not allowed:
            return Dropped(0, 0, 0, waiting=True)
        listing = stored_segments(root, connection=connection)
        old = _old(root, listing, keep, safe, now)
        packets = 0
        for run_id, group in groupby(old, key=lambda files: files.run_id):
            packets += _write_down(connection, root, run_id, list(group), now)
        unwanted = _unwanted(root, listing)
        for path in unwanted:
            path.unlink(missing_ok=True)
        return Dropped(len(old), packets, len(unwanted), waiting=False)


def _old(root: Path, listing: Listing, keep: Keep, safe: set[Key], now: dt.datetime) -> list[SessionFiles]:
    return [
        files
        for files in all_sessions(root, listing)
        if (files.run_id, files.index) in safe and _is_old(files, keep(files.run_id), now)
    ]


def _is_old(files: SessionFiles, keep_ns: int | None, now: dt.datetime) -> bool:
    dates = [layout.partition_date(file.path) for file in files.segments]
    known = [date for date in dates if date is not None]
    if keep_ns is None or len(known) < len(dates):
        return False
    end = dt.datetime.combine(max(known) + dt.timedelta(days=1), dt.time(), dt.UTC)
    return (now - end) / dt.timedelta(microseconds=1) * 1000 >= keep_ns


def _write_down(
    connection: Connection, root: Path, run_id: str, sessions: list[SessionFiles], now: dt.datetime
) -> int:
    at = now.astimezone(dt.UTC).isoformat(timespec="seconds")
    gone = {}
    for files in sessions:
        record = record_of(connection, files)
        if record is not None:
            gone[files.index] = Removed(record, at, _packets(connection, files))
    add_removed(root, run_id, gone)
    return sum(removed.packets for removed in gone.values())


def _packets(connection: Connection, files: SessionFiles) -> int:
    packed = [file.entry.span(file.number) for file in files.segments if file.entry is not None]
    alone = [str(file.path) for file in files.segments if file.entry is None]
    total = sum(last - first for first, last in packed)
    if alone:
        told = connection.execute("SELECT sum(num_rows) FROM parquet_file_metadata(?)", [alone]).fetchall()
        total += int(told[0][0])
    return total


def _unwanted(root: Path, listing: Listing) -> list[Path]:
    """The files that hold nothing but sessions that were given up, now or before a kill."""
    runs = {file.run_id for file in listing.files}
    gone = {
        (run_id, index)
        for run_id in runs
        for index in read_removed(layout.run_folder(root, run_id), run_id)[0]
    }
    contents: dict[Path, set[Key]] = {}
    for pack in listing.packs:
        contents[pack.path] = {file.key[:2] for file in pack.segments()}
    for file in layout.segment_files(root):
        contents[file.path] = {file.key[:2]}
    return [path for path, sessions in contents.items() if sessions <= gone]
