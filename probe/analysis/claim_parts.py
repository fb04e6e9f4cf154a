"""What a session of a claim's sweep is judged on: its seconds under loss, a share a second."""

from __future__ import annotations

import numpy as np

from probe.analysis.blocking import Blocking
from probe.analysis.fates import Outcome
from probe.analysis.results import Poolable
from probe.metrics import NEVER, Rows
from probe.objectives import CLAIM_SETTLE_NS

SECOND_NS = 1_000_000_000


def claim_parts(rows: Rows, outcomes: dict[str, Outcome]) -> dict[str, tuple[Poolable, ...]]:
    """`claim.up.residual` and the like, a share a second."""
    due = rows["scheduled_ns"]
    began = int(due[due != NEVER].min(initial=np.iinfo(np.int64).max))
    counted = (due != NEVER) & (due >= began + CLAIM_SETTLE_NS) if len(rows) else np.zeros(0, np.bool_)
    found: dict[str, tuple[Poolable, ...]] = {}
    if not counted.any():
        return found
    blocking = Blocking.of(rows[counted], SECOND_NS)
    for way, outcome in outcomes.items():
        population = outcome.population[counted]
        bad = outcome.lost | outcome.late
        shares = {
            "loss": (outcome.lost, population),
            "residual": (outcome.residual, population),
            "recovered": (outcome.recovered, bad[counted]),
        }
        for metric, (hits, of) in shares.items():
            found[f"claim.{way}.{metric}"] = blocking.shares(hits[counted], of)
    return found
