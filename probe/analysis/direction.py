"""All values of one direction of a session."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from probe.analysis.delay import ipdv, jitter
from probe.analysis.fates import Outcome
from probe.analysis.one_way import OneWay
from probe.analysis.population import Population, Share
from probe.analysis.recovery import recovery
from probe.analysis.reordering import reordering
from probe.analysis.results import Direction, Poolable
from probe.metrics import NEVER, Rows


def direction(way: OneWay, outcome: Outcome, rows: Rows, name: str, values: dict[str, Poolable]) -> Direction:
    """Summarise one direction; what can be pooled goes into `values` under its threshold's name."""
    n, lost, late, recovered, residual = (
        int(np.count_nonzero(mask))
        for mask in (outcome.population, outcome.lost, outcome.late, outcome.recovered, outcome.residual)
    )
    arrived = outcome.population & ~outcome.lost
    received = np.where(arrived, way.arrived, NEVER)
    variation = ipdv(way.stream, rows["seq"].astype(np.int64), np.where(arrived, way.excess, NEVER))
    share = {
        "loss": Share(lost, n),
        "residual": Share(residual, n),
        "recovered": Share(recovered, lost + late),
        "reordered": reordering(way.stream, way.sequence, received),
    }
    population = {
        "pdv": Population.of_ns(way.excess[arrived], lost),
        "ipdv": Population.of_ns(np.abs(variation[variation != NEVER])),
        "recovery": recovery(way, outcome),
    }
    jittered = jitter(way.stream, way.departed, received)
    kept: Mapping[str, Poolable] = {**share, **population, "jitter": jittered}
    values |= {f"{name}.{metric}": value for metric, value in kept.items()}
    return Direction(
        sent=n,
        lost=lost,
        late=late,
        recovered=recovered,
        residual=residual,
        loss_ratio=share["loss"].ratio,
        residual_ratio=share["residual"].ratio,
        recovered_ratio=share["recovered"].ratio,
        reordered_ratio=share["reordered"].ratio,
        recovery_ms=population["recovery"].distribution(),
        pdv_ms=population["pdv"].distribution(),
        ipdv_ms=population["ipdv"].distribution(),
        jitter_ms=jittered.to_json(),
        duplicates=int(rows[f"{name}_duplicates"].sum()),
        retransmissions=int(rows[f"{name}_retransmissions"].sum()),
    )
