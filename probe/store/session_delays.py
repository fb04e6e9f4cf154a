"""Each session's round trips in three numbers, from its histogram alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from probe.store.catalogue import catalogue_of
from probe.store.hours import percentiles
from probe.store.lock import reading
from probe.store.parquet import connect
from probe.store.run_entries import SessionEntry


@dataclass(frozen=True, slots=True)
class SessionDelay:
    """`p95_ms` is infinite where more than one in twenty of the `n` packets sent was lost."""

    run_id: str
    session: SessionEntry
    n: int
    lost: int
    p95_ms: float


def session_delays(root: Path) -> tuple[list[SessionDelay], list[str]]:
    """Of every session that has a document and a histogram, in order of run and session; and problems."""
    with reading(root), connect() as connection, catalogue_of(root, connection) as catalogue:
        found = catalogue.histograms()
        rows, torn = percentiles(connection, found, ("run_id", "session"))
        runs = {run_id: catalogue.run(run_id) for run_id in sorted({key[0] for key in found.parts})}
    problems = [*found.problems, *torn, *(problem for entry in runs.values() for problem in entry.problems)]
    known = {run_id: entry.removed | entry.sessions for run_id, entry in runs.items()}
    delays = []
    for run_id, index, n, lost, _, p95, _ in rows:
        if index in known[run_id]:
            value = math.inf if p95 is None else float(p95)
            delays.append(SessionDelay(run_id, known[run_id][index], int(n), int(lost), value))
    return delays, problems
