"""Each session's round trips in three numbers, from its histogram alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from probe.records import SessionRecord
from probe.store import layout
from probe.store.hist_files import stored_histograms
from probe.store.hours import percentiles
from probe.store.lock import reading
from probe.store.parquet import connect
from probe.store.sessions import files_of_run


@dataclass(frozen=True, slots=True)
class SessionDelay:
    """`p95_ms` is infinite where more than one in twenty of the `n` packets sent was lost."""

    record: SessionRecord
    n: int
    lost: int
    p95_ms: float


def session_delays(root: Path) -> tuple[list[SessionDelay], list[str]]:
    """Of every session that has a document and a histogram, in order of run and session; and problems."""
    with reading(root), connect() as connection:
        found = stored_histograms(connection, root)
        if not found.parts:
            return [], found.problems
        rows = percentiles(connection, found, ("run_id", "session"))
    problems = list(found.problems)
    records: dict[tuple[str, int], SessionRecord] = {}
    for run_id in sorted({key[0] for key in found.parts}):
        sessions, wrong = files_of_run(layout.run_folder(root, run_id), run_id, [])
        problems += wrong
        for files in sessions:
            record = files.record or files.removed
            if record is not None:
                records[run_id, files.index] = record
    delays = []
    for run_id, index, n, lost, _, p95, _ in rows:
        if (run_id, index) in records:
            value = math.inf if p95 is None else float(p95)
            delays.append(SessionDelay(records[run_id, index], int(n), int(lost), value))
    return delays, problems
