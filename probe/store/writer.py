"""Writing a run while it is measured: what is on disk is whole, and a kill loses the open segments only."""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from probe.errors import StoreError
from probe.metrics import Rows
from probe.records import Json, SessionRecord
from probe.store import documents, layout
from probe.store.histograms import COUNTS, add_up, count_delays, write_histogram
from probe.store.parquet import Connection, connect
from probe.store.pending import Pending
from probe.store.resume import stored_sessions
from probe.store.runid import is_run_id
from probe.store.segments import write_segment


@dataclass(slots=True)
class _Session:
    """What the writer knows of a session that is not finished."""

    record: SessionRecord
    pending: Pending = field(default_factory=Pending)
    segments: int = 0
    rows: int = 0
    day: dt.date | None = None
    delays: NDArray[np.void] = field(default_factory=lambda: np.empty(0, COUNTS))


class RunWriter:
    """The one writer of a run. Sessions may be written side by side, and from any thread.

    The manifest needs `run_id`; `started_at` (ISO 8601), `country`, `title`, `emulated` and
    `sessions_planned` (a number) are what `list_runs` shows. When a write fails, StoreError says what
    is kept; rows already handed over stay in memory and go with the next write.
    """

    def __init__(self, root: Path, manifest: Json, *, resume: bool = False) -> None:
        """Write the manifest. Raises StoreError, also when the run is there already: runs are immutable.

        `resume` goes on with a run that is there, its manifest as it stands. Sessions of which anything is
        stored are finished and take no more packets. Whoever resumes sees to it that no two writers have the
        same session (`probe.store.resume`).
        """
        self.run_id = str(manifest["run_id"])
        if not is_run_id(self.run_id):
            raise ValueError(f"{self.run_id!r} cannot name a run")
        self.root = root.absolute()
        self.folder = layout.run_folder(self.root, self.run_id)
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._open: dict[int, _Session] = {}
        self._finished = stored_sessions(self.root, self.run_id) if resume else set[int]()
        self._kept_rows = 0
        path = self.folder / layout.MANIFEST
        if resume:
            return
        if os.path.lexists(path):
            raise StoreError(f"cannot write {path}: there is a run of this name already")
        documents.write_json(path, manifest)

    def add_rows(self, record: SessionRecord, rows: Rows) -> None:
        """Append rows that will not change any more, in any number; full segments are written at once.

        Raises StoreError: the rows are taken all the same, do not add them again.
        """
        with self._lock, self._saying_what_is_kept():
            session = self._session(record)
            session.pending.add(rows)
            while len(full := session.pending.full(record)):
                self._write_segment(session, full)

    def finish_session(self, record: SessionRecord) -> None:
        """Write the session's remaining rows, its histogram, and last its document: then it is complete.

        Raises StoreError; it may be called again then.
        """
        with self._lock, self._saying_what_is_kept():
            session = self._session(record)
            self._write_rest(session)
            if session.day is not None and len(session.delays):
                write_histogram(self._database(), self.root, record, session.day, session.delays)
            facts = {"segments": session.segments, "rows": session.rows}
            path = layout.session_path(self.root, self.run_id, record.index)
            documents.write_json(path, {**facts, **record.to_json()})
            self._finished.add(record.index)
            del self._open[record.index]

    def write_document(self, name: str, document: Json) -> Path:
        """Write `summary.json`, `verdict.json` or another document of the run, atomically.

        Raises StoreError, and ValueError for a NaN or an infinity in it.
        """
        if Path(name).name != name or name == layout.MANIFEST:
            raise ValueError(f"{name!r} is not a document beside the manifest")
        with self._lock, self._saying_what_is_kept():
            documents.write_json(self.folder / name, document)
        return self.folder / name

    def close(self) -> None:
        """Write the rows of sessions that were never finished; they will read as interrupted."""
        with self._lock, self._saying_what_is_kept():
            try:
                for session in self._open.values():
                    self._write_rest(session)
            finally:
                if self._connection is not None:
                    self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except StoreError:
            if kind is None:
                raise

    def _session(self, record: SessionRecord) -> _Session:
        if record.run_id != self.run_id:
            raise ValueError(f"session {record.index} belongs to run {record.run_id}, not {self.run_id}")
        if record.index in self._finished:
            raise ValueError(f"session {record.index} of run {self.run_id} is finished")
        session = self._open.setdefault(record.index, _Session(record))
        session.record = record
        return session

    def _write_rest(self, session: _Session) -> None:
        while len(rows := session.pending.full(session.record)):
            self._write_segment(session, rows)
        if len(session.pending):
            self._write_segment(session, session.pending.rest())

    def _write_segment(self, session: _Session, rows: Rows) -> None:
        """Store `rows`, the first of what is pending; only then are they forgotten."""
        record = session.record
        delays = add_up([session.delays, count_delays(record, rows)])
        write_segment(self._database(), self.root, record, rows, session.segments)
        session.day = session.day or layout.utc_date(rows, record)
        session.delays = delays
        session.segments += 1
        session.rows += len(rows)
        self._kept_rows += len(rows)
        session.pending.drop(len(rows))

    def _database(self) -> Connection:
        if self._connection is None:
            self._connection = connect()
        return self._connection

    @contextmanager
    def _saying_what_is_kept(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            if self._connection is not None:
                # Some failures leave a database that answers nothing any more; the next write opens one.
                self._connection.close()
                self._connection = None
            kept = f"{self._kept_rows} packets and {len(self._finished)} finished sessions"
            raise StoreError(f"{error}; kept of run {self.run_id}: {kept}", hint=error.hint) from error
