"""What the catalogue knows of a run: its manifest's and verdict's main words, and a line a session."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from probe.records import Json, SessionRecord
from probe.store import layout
from probe.store.documents import Unreadable, read_json
from probe.store.removed import read_removed
from probe.store.sessions import read_documents

_OF_MANIFEST = (
    "kind",
    "schema_version",
    "started_at",
    "country",
    "title",
    "vantage",
    "emulated",
    "sessions_planned",
)


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """The main words of a session's record; `rows` and `segments` are how many its document says are stored."""

    index: int
    country: str
    vendor: str
    node: str
    city: str | None
    isp: str | None
    vantage: str | None
    timezone: str
    scenario: str
    network: str
    window: str
    transport: str
    started_at: str
    local_time: str
    outcome: str
    emulated: bool
    one_way: bool
    rows: int
    segments: int

    @classmethod
    def of(cls, record: SessionRecord, rows: int, segments: int) -> SessionEntry:
        labels = {name: getattr(record, name) for name in _COLUMNS[:-2]}
        return cls(**labels, rows=rows, segments=segments)

    def row(self) -> list[Any]:
        return [getattr(self, name) for name in _COLUMNS]


_COLUMNS = tuple(item.name for item in fields(SessionEntry))


@dataclass(frozen=True, slots=True)
class RunEntry:
    """`manifest` has the words that lists need, none where it cannot be read. `removed` are sessions without packets.

    What has `problems` (sentences) is not kept: they are told anew each time.
    """

    manifest: Json
    verdict: Any
    sessions: dict[int, SessionEntry]
    removed: dict[int, SessionEntry]
    problems: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        return not self.problems

    def to_json(self) -> Json:
        return {
            "manifest": self.manifest,
            "verdict": self.verdict,
            "columns": list(_COLUMNS),
            "sessions": [entry.row() for entry in self.sessions.values()],
            "removed": [entry.row() for entry in self.removed.values()],
        }

    @classmethod
    def from_json(cls, content: Json) -> RunEntry:
        """Raises KeyError, TypeError and ValueError for what `to_json` did not make."""
        if tuple(content["columns"]) != _COLUMNS:
            raise ValueError("other columns")
        sessions, removed = (_by_index(content[name]) for name in ("sessions", "removed"))
        return cls(dict(content["manifest"]), content["verdict"], sessions, removed)


def read_run(root: Path, run_id: str) -> RunEntry:
    """From the documents of a run, which may be lost; no packet is read."""
    folder = layout.run_folder(root, run_id)
    problems = []
    manifest: Json = {}
    verdict = None
    try:
        told = read_json(folder / layout.MANIFEST)
        manifest = {name: told[name] for name in _OF_MANIFEST if name in told}
        if (folder / layout.VERDICT).exists():
            verdict = read_json(folder / layout.VERDICT).get("verdict")
    except Unreadable as error:
        problems.append(str(error))
    documents, wrong = read_documents(folder, run_id)
    removed, more = read_removed(folder, run_id)
    return RunEntry(
        manifest,
        verdict,
        {index: SessionEntry.of(one.record, one.rows, one.segments) for index, one in documents.items()},
        {index: SessionEntry.of(gone.record, 0, 0) for index, gone in removed.items()},
        (*problems, *wrong, *more),
    )


def documents_of_run(root: Path, run_id: str) -> list[Path]:
    """The files that a run's entry is made of, and the folder that new ones come to; they may be missing."""
    folder = layout.run_folder(root, run_id)
    own = [folder / name for name in (layout.MANIFEST, layout.VERDICT, layout.REMOVED)]
    sessions = folder / "sessions"
    try:
        return [*own, sessions, *(Path(entry) for entry in os.scandir(sessions))]
    except OSError:
        return own


def _by_index(rows: Iterable[list[Any]]) -> dict[int, SessionEntry]:
    return {row[0]: SessionEntry(*row) for row in rows}
