"""Histograms that are missing, made again from packets: of sessions that were killed before they ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from probe.records import SessionRecord
from probe.store import layout
from probe.store.hist_files import Key, rebuild, stored_histograms
from probe.store.histograms import count_delays
from probe.store.listing import Listing, stored_segments
from probe.store.lock import reading
from probe.store.parquet import Connection
from probe.store.segments import read_records
from probe.store.sessions import SessionFiles, files_of_run, load_session

QUIET_S = 60.0
"""A session without a document whose newest segment is younger is still being measured."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`safe`: sessions whose delays are kept for ever, or that have none; `written`: histograms made."""

    safe: set[Key]
    written: int
    problems: list[str]


def all_sessions(root: Path, listing: Listing) -> Iterator[SessionFiles]:
    """Every session that has packets, run by run; no packet is read."""
    for run_id, group in groupby(listing.files, key=lambda file: file.run_id):
        found, _ = files_of_run(layout.run_folder(root, run_id), run_id, group)
        yield from (files for files in found if files.segments)


def ensure_histograms(connection: Connection, root: Path) -> Rebuilt:
    """Make the histograms that are missing or, of a killed session, incomplete. Raises StoreError."""
    with reading(root):
        listing = stored_segments(root, connection=connection)
        known = stored_histograms(connection, root).parts
        rebuilt = Rebuilt(set(), 0, [])
        written = 0
        for files in all_sessions(root, listing):
            key = (files.run_id, files.index)
            if files.record is not None and (key in known or files.record.one_way):
                rebuilt.safe.add(key)
            elif files.record is not None or not _is_live(files):
                part = known.get(key)
                done = _rebuild(connection, root, files, None if part is None else part.packets, rebuilt)
                written += done
    return Rebuilt(rebuilt.safe, written, rebuilt.problems)


def _rebuild(
    connection: Connection, root: Path, files: SessionFiles, packets: int | None, rebuilt: Rebuilt
) -> bool:
    session, problems = load_session(connection, files)
    if session is None or (problems and files.record is not None):
        label = f"session {files.index} of run {files.run_id}"
        rebuilt.problems.append(f"{label}: no histogram could be made of its packets: {problems[0]}")
        return False
    rebuilt.safe.add((files.run_id, files.index))
    counted = int(count_delays(session.record, session.rows)["count"].sum())
    if counted == (packets or 0):
        return False
    return rebuild(connection, root, session.record, session.rows)


def _is_live(files: SessionFiles) -> bool:
    newest = files.segments[-1].path
    try:
        return time.time() - newest.stat().st_mtime < QUIET_S
    except OSError:
        return True


def record_of(connection: Connection, files: SessionFiles) -> SessionRecord | None:
    """What is known of a session, without reading its packets."""
    if files.record is not None:
        return files.record
    last = files.segments[-1]
    if last.entry is not None:
        return last.entry.record
    return next(iter(read_records(connection, [last])), None)
