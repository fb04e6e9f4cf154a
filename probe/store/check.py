"""`probe store check`: every file under the results folder read and compared with what it says of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from probe.store import layout
from probe.store.documents import Unreadable, read_json
from probe.store.hist_files import Histograms, stored_histograms
from probe.store.histograms import count_delays
from probe.store.listing import Listing, stored_segments
from probe.store.lock import reading
from probe.store.lookup import run_ids
from probe.store.parquet import connect
from probe.store.recatalogue import differences
from probe.store.sessions import SessionFiles, StoredSession, files_of_run, load_session

LEFTOVER_S = 600.0
"""A temporary file that is older belongs to no process that is still writing it."""

DAMAGE, REPAIRABLE, REMARK = "damage", "repairable", "remark"

Identity = Callable[[StoredSession], str | None]
"""What is wrong with the fates of a session's packets; None = they add up."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: DAMAGE; REPAIRABLE by `compact` or `check --repair`; a REMARK is no fault."""

    kind: str
    sentence: str
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    runs: int
    sessions: int
    packets: int
    files: int
    findings: list[Finding]


def check(root: Path, identity: Identity = lambda _: None) -> Checked:
    """Read everything: each checksum, version, count and document. Nothing is changed."""
    findings = [*_strangers(root), *_documents(root)]
    sessions = packets = 0
    with reading(root), connect() as connection:
        listing = stored_segments(root, connection=connection)
        histograms = stored_histograms(connection, root)
        findings += [Finding(DAMAGE, text) for text in (*listing.problems, *histograms.problems)]
        findings += [_superseded(path) for path in listing.superseded]
        for files in _sessions(root, listing):
            sessions += 1
            session, problems = load_session(connection, files)
            findings += [Finding(DAMAGE, text) for text in problems]
            if session is not None:
                packets += len(session.rows)
                findings += _facts(files, session, histograms, identity)
        count = len({file.path for file in listing.files})
        findings += [Finding(REPAIRABLE, text) for text in differences(root, connection)]
    return Checked(len(run_ids(root)), sessions, packets, count, findings)


def leftovers(root: Path) -> list[Path]:
    """Temporary files of processes that were killed."""
    now = time.time()
    found = []
    for path in root.rglob(".*.tmp"):
        try:
            if path.is_file() and now - path.stat().st_mtime > LEFTOVER_S:
                found.append(path)
        except OSError:
            continue
    return sorted(found)


def _sessions(root: Path, listing: Listing) -> Iterator[SessionFiles]:
    by_run: dict[str, list[layout.SegmentFile]] = {run_id: [] for run_id in run_ids(root)}
    for file in listing.files:
        by_run.setdefault(file.run_id, []).append(file)
    for run_id, files in sorted(by_run.items()):
        yield from files_of_run(layout.run_folder(root, run_id), run_id, files)[0]


def _facts(
    files: SessionFiles, session: StoredSession, histograms: Histograms, identity: Identity
) -> Iterator[Finding]:
    label = f"session {files.index} of run {files.run_id}"
    if session.removed:
        return
    if files.record is None:
        yield Finding(REMARK, f"{label} was killed or is still being measured: it has no document")
    wrong = identity(session)
    if wrong is not None:
        yield Finding(DAMAGE, f"{label}: {wrong}")
    counted = int(count_delays(session.record, session.rows)["count"].sum())
    part = histograms.parts.get((files.run_id, files.index))
    if counted and part is None:
        yield Finding(REPAIRABLE, f"{label} has no histogram")
    elif part is not None and part.packets != counted:
        text = f"the histogram of {label} counts {part.packets} packets, its segments {counted}"
        yield Finding(REPAIRABLE if files.record is None else DAMAGE, text, part.path)


def _superseded(path: Path) -> Finding:
    return Finding(REPAIRABLE, f"{path} lies in a compacted file too: it is counted once", path)


def _strangers(root: Path) -> Iterator[Finding]:
    """Temporary leftovers, and files that are none of the store's."""
    old = leftovers(root)
    yield from (Finding(REPAIRABLE, f"{path} was left by a process that was killed", path) for path in old)
    for table in (layout.PACKETS, layout.HISTOGRAMS):
        for path in sorted((root / table).rglob("*")):
            if not path.is_file() or (path.name.startswith(".") and path.name.endswith(".tmp")):
                continue
            if not layout.is_stored_name(path.name):
                yield Finding(REMARK, f"{path} is no file of the store; it is passed over", path)


def _documents(root: Path) -> Iterator[Finding]:
    known = set(run_ids(root))
    segments: Iterable[str] = {file.run_id for file in layout.segment_files(root)}
    for run_id in sorted(set(segments) - known):
        yield Finding(REMARK, f"run {run_id} has packets but no folder in runs/: it can be read all the same")
    for run_id in sorted(known):
        folder = layout.run_folder(root, run_id)
        if not (folder / layout.MANIFEST).exists():
            yield Finding(DAMAGE, f"run {run_id} has no {layout.MANIFEST}", folder)
        for path in sorted(folder.rglob("*.json")):
            try:
                read_json(path)
            except Unreadable as error:
                yield Finding(DAMAGE, str(error), path)
