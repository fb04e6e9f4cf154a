"""A session put together from its document and its segments, whatever of them is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from probe.metrics import Rows, empty_rows, join_rows
from probe.records import INTERRUPTED, SessionRecord
from probe.store import layout
from probe.store.documents import Unreadable, parse_record, read_json
from probe.store.layout import SegmentFile
from probe.store.packs import read_stored
from probe.store.parquet import Connection
from probe.store.removed import read_removed
from probe.store.segments import Segment


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session and its packets, sorted by stream and sequence number.

    `complete`: its document was written, so the session ended by itself; otherwise the record is the one
    in its newest segment with outcome "interrupted", and the packets of its last seconds are missing.
    `problems`: sentences about its files. `removed`: its packets were removed on purpose (`keep_raw`), and
    `rows` is empty.
    """

    record: SessionRecord
    rows: Rows
    complete: bool = True
    problems: tuple[str, ...] = ()
    removed: bool = False


@dataclass(frozen=True, slots=True)
class SessionFiles:
    """What is on disk of one session: its document's record and number of segments, and the segments.

    `removed` is what is known of a session whose packets were removed on purpose.
    """

    run_id: str
    index: int
    record: SessionRecord | None
    expected: int
    segments: list[SegmentFile]
    removed: SessionRecord | None = None


@dataclass(frozen=True, slots=True)
class SessionDocument:
    """A session's document: the record, and how many `rows` in how many `segments` it says are stored."""

    record: SessionRecord
    rows: int
    segments: int


def files_of_run(
    folder: Path, run_id: str, segments: Iterable[SegmentFile], only: Collection[int] | None = None
) -> tuple[list[SessionFiles], list[str]]:
    """The sessions of a run by index, and a sentence for each document that is unusable.

    `folder` is the run's, which may be gone; `segments` are the run's in order. No packet is read. With `only`
    the documents of these sessions alone are opened.
    """
    by_index = {index: list(group) for index, group in groupby(segments, key=lambda file: file.session)}
    documents, problems = read_documents(folder, run_id, only)
    removed, wrong = read_removed(folder, run_id)
    problems += wrong
    present = {index: one for index, one in documents.items() if index not in removed}
    if any(one.segments > len(by_index.get(index, ())) for index, one in present.items()):
        _add_later(by_index, layout.segment_files(folder.parent.parent, run_id=run_id))
    found = []
    for index in sorted({*documents, *by_index, *removed}):
        if only is not None and index not in only:
            continue
        document, gone = documents.get(index), removed.get(index)
        record, expected = (document.record, document.segments) if document else (None, 0)
        segments = [] if gone else by_index.get(index, [])
        found.append(SessionFiles(run_id, index, record, expected, segments, gone.record if gone else None))
    return found, problems


def read_documents(
    folder: Path, run_id: str, only: Collection[int] | None = None
) -> tuple[dict[int, SessionDocument], list[str]]:
    """The documents of a run's sessions by index, and a sentence for each that is unusable."""
    documents: dict[int, SessionDocument] = {}
    problems: list[str] = []
    wanted = None if only is None else {f"{index}.json" for index in only}
    for path in sorted((folder / "sessions").glob("[0-9]*.json")):
        if wanted is not None and path.name not in wanted:
            continue
        try:
            document = _read_document(path, run_id)
            documents[document.record.index] = document
        except Unreadable as error:
            problems.append(str(error))
    return documents, problems


def _add_later(by_index: dict[int, list[SegmentFile]], now: Iterable[SegmentFile]) -> None:
    """Segments written between their listing and the reading of the documents: a run may be going on."""
    for file in now:
        known = by_index.setdefault(file.session, [])
        if all(file.number != other.number for other in known):
            known.append(file)
            known.sort()


def load_session(connection: Connection, files: SessionFiles) -> tuple[StoredSession | None, list[str]]:
    """The session, None when nothing of it is readable; and a sentence for each thing that is wrong."""
    if files.removed is not None:
        return StoredSession(
            files.record or files.removed, empty_rows(0), files.record is not None, removed=True
        ), []
    chosen, problems = _once(files.segments)
    segments, unread = read_stored(connection, chosen)
    problems += unread
    record = files.record
    if record is None:
        if not segments:
            return None, problems
        record = replace(segments[-1].record, outcome=INTERRUPTED)
    rows, repeated = _in_order(segments)
    label = f"session {files.index} of run {files.run_id}"
    if repeated:
        problems.append(f"{label}: {repeated} packets are stored twice, the first of each is used")
    absent = max(files.expected, chosen[-1].number + 1 if chosen else 0) - len(chosen)
    if absent:
        problems.append(f"{label}: {absent} of its segments are missing, and their packets with them")
    return StoredSession(record, rows, files.record is not None, tuple(problems)), problems


def _read_document(path: Path, run_id: str) -> SessionDocument:
    document = read_json(path)
    record = parse_record(path, document)
    if (record.run_id, f"{record.index}.json") != (run_id, path.name):
        raise Unreadable(f"{path} holds run {record.run_id}, session {record.index}: it was renamed")
    rows, segments = (
        told if isinstance(told := document.get(name), int) else 0 for name in ("rows", "segments")
    )
    return SessionDocument(record, rows, segments)


def _once(files: list[SegmentFile]) -> tuple[list[SegmentFile], list[str]]:
    """Each segment once: a copy in another folder is told and passed over."""
    chosen: dict[int, SegmentFile] = {}
    problems = []
    for file in files:
        first = chosen.setdefault(file.number, file)
        if first is not file:
            problems.append(f"{file.path} is passed over: the same segment is in {first.path.parent}")
    return list(chosen.values()), problems


def _in_order(segments: Iterable[Segment]) -> tuple[Rows, int]:
    """All rows by stream and sequence number, each packet once; and how many came twice."""
    rows = join_rows([empty_rows(0), *(segment.rows for segment in segments)])
    rows = rows.take(np.lexsort((rows["seq"], rows["stream"])))
    again = (rows["stream"][1:] == rows["stream"][:-1]) & (rows["seq"][1:] == rows["seq"][:-1])
    if not again.any():
        return rows, 0
    return rows.take(np.flatnonzero(np.concatenate([[True], ~again]))), int(np.count_nonzero(again))
