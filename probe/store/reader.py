"""Reading runs back. What is damaged is told, one sentence a file, and the rest is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from probe.errors import ConfigError
from probe.records import INTERRUPTED, Json, SessionRecord
from probe.store import layout
from probe.store.catalogue import catalogue_of
from probe.store.documents import Newer, Unreadable, read_json
from probe.store.lock import reading
from probe.store.lookup import find_run, run_ids
from probe.store.parquet import Connection, connect
from probe.store.removed import removed_sentence
from probe.store.run_entries import RunEntry, SessionEntry
from probe.store.runid import start_of
from probe.store.sessions import SessionFiles, StoredSession, files_of_run, load_session


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as its files tell it; `problems` are sentences about files that could not be used."""

    manifest: Json
    sessions: list[StoredSession]
    problems: list[str]
    run_id: str
    folder: Path


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run in a list. `verdict` is None when none was written (a killed run, or one still going).

    `complete`: every session, of those planned if the manifest says how many, ended by itself.
    """

    run_id: str
    started_at: str
    country: str | None
    title: Any
    verdict: str | None
    emulated: bool
    sessions: int
    complete: bool
    problems: tuple[str, ...] = ()


def load_run(root: Path, name: str | Path, *, without: Collection[int] = ()) -> StoredRun:
    """Everything measured in the run `name` (id, unique beginning of one, or path), sessions by index.

    Needs the packet files; session documents that are missing are put together from them, and
    summary.json and verdict.json are not looked at. Sessions in `without` are passed over. Raises ConfigError when there is no such run, or
    nothing of it is readable.
    """
    root, run_id = find_run(root, name)
    folder = layout.run_folder(root, run_id)
    sessions = []
    with reading(root), connect() as connection, catalogue_of(root, connection) as catalogue:
        stored = catalogue.segments(run_id)
        found, problems = files_of_run(folder, run_id, stored.files)
        problems += stored.problems
        for files in found:
            if files.index in without:
                continue
            session, wrong = load_session(connection, files)
            problems += wrong
            if session is not None:
                sessions.append(session)
    gone = sum(session.removed for session in sessions)
    if gone:
        problems.append(removed_sentence(run_id, gone, len(sessions)))
    manifest, lost = _manifest(folder, run_id, sessions)
    return StoredRun(manifest, sessions, lost + problems, run_id, folder)


def list_runs(root: Path) -> list[RunInfo]:
    """All runs under `root`, oldest first; no packet is read."""
    with reading(root), catalogue_of(root) as catalogue:
        runs, measured = catalogue.runs(), catalogue.sessions_with_packets()
        lost = {run_id: catalogue.run(run_id) for run_id in measured.keys() - runs.keys()}
        every = sorted((runs | lost).items())
        return [_info(run_id, entry, measured.get(run_id, set())) for run_id, entry in every]


def find_sessions(
    root: Path,
    *,
    country: str,
    vendor: str,
    node: str,
    before: str,
    limit: int,
    where: Callable[[SessionRecord], bool] | None = None,
) -> list[StoredSession]:
    """The newest `limit` sessions of a node that started before `before` (ISO 8601 with a zone).

    Newest first. `where` narrows the choice (a window, a scenario): what it refuses is not counted
    against the limit and its packets are not read. Sessions that never reached the node are included,
    those whose packets were removed are not.
    """
    end = datetime.fromisoformat(before)
    if end.tzinfo is None:
        raise ValueError(f"{before!r} has no zone")

    def wanted(record: SessionRecord | SessionEntry) -> bool:
        here = (record.country, record.vendor, record.node) == (country, vendor, node)
        start = _start(record.started_at)
        return here and start is not None and start < end

    def chosen(record: SessionRecord) -> bool:
        return wanted(record) and (where is None or where(record))

    sessions: list[StoredSession] = []
    with reading(root), connect() as connection, catalogue_of(root, connection) as catalogue:
        measured = catalogue.sessions_with_packets(country, vendor)
        for run_id in sorted({*run_ids(root), *measured}, reverse=True):
            entry = catalogue.run(run_id)
            # A killed session is known by its packets alone.
            likely = measured.get(run_id, set()) - entry.sessions.keys()
            likely |= {index for index, one in entry.sessions.items() if wanted(one)}
            if not likely:
                continue
            segments = catalogue.segments(run_id, country, vendor).files
            found, _ = files_of_run(layout.run_folder(root, run_id), run_id, segments, likely)
            sessions += _wanted_sessions(connection, found, chosen, limit - len(sessions))
            if len(sessions) >= limit:
                break
    return sessions


def _wanted_sessions(
    connection: Connection, found: list[SessionFiles], wanted: Callable[[SessionRecord], bool], limit: int
) -> Iterator[StoredSession]:
    """At most `limit` sessions of one run, newest first; sessions without a document come first."""
    present = [files for files in found if files.removed is None]
    candidates = [files for files in present if files.record is None or wanted(files.record)]
    candidates.sort(key=lambda files: files.record.started_at if files.record else "~", reverse=True)
    for files in candidates:
        if limit <= 0:
            return
        session, _ = load_session(connection, files)
        if session is not None and wanted(session.record):
            limit -= 1
            yield session


def _info(run_id: str, entry: RunEntry, measured: set[int]) -> RunInfo:
    """`measured` are the sessions of which there are packets."""
    sessions, manifest = list(entry.sessions.values()), entry.manifest
    every = {*entry.sessions, *entry.removed, *measured}
    start = start_of(run_id)
    planned = manifest.get("sessions_planned")
    ended = len(sessions) == len(every) and all(one.outcome != INTERRUPTED for one in sessions)
    enough = len(sessions) >= planned if isinstance(planned, int) else bool(sessions)
    return RunInfo(
        run_id=run_id,
        started_at=str(manifest.get("started_at") or (start.isoformat() if start else "")),
        country=manifest.get("country") or next((one.country for one in sessions), None),
        title=manifest.get("title"),
        verdict=entry.verdict,
        emulated=bool(manifest.get("emulated")) or any(one.emulated for one in sessions),
        sessions=len(every),
        complete=ended and enough,
        problems=entry.problems,
    )


def _manifest(folder: Path, run_id: str, sessions: list[StoredSession]) -> tuple[Json, list[str]]:
    """The manifest, or what the sessions tell of it. Raises ConfigError when neither says anything."""
    try:
        return read_json(folder / layout.MANIFEST), []
    except Unreadable as error:
        # What a newer plan asked for is not guessed; of a lost one the packets are still shown.
        if not sessions or isinstance(error, Newer):
            raise ConfigError(f"run {run_id} cannot be read: {error}") from error
        records = [session.record for session in sessions]
        manifest = {
            "run_id": run_id,
            "country": records[0].country,
            "started_at": min(record.started_at for record in records),
            "emulated": any(record.emulated for record in records),
            "lost": True,
        }
        return manifest, [str(error)]


def _start(started_at: str) -> datetime | None:
    """When a session started; None for a text that is no date, or has no zone."""
    try:
        start = datetime.fromisoformat(started_at)
    except (TypeError, ValueError):
        return None
    return start if start.tzinfo is not None else None
