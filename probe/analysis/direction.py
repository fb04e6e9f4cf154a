"""All values of one direction of a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from probe.analysis.blocking import Blocking
from probe.analysis.delay import arrival_order, ipdv, jitter_levels_by_row, jitter_summary
from probe.analysis.fates import Outcome
from probe.analysis.one_way import Mask, OneWay, departure_numbers
from probe.analysis.population import Population, Share
from probe.analysis.recovery import recovery_times
from probe.analysis.reordering import reordered_rows
from probe.analysis.results import Direction, Poolable
from probe.metrics import NEVER, Rows, Times

SHARES = ("loss", "residual", "recovered", "reordered")
POPULATIONS = ("pdv", "ipdv", "recovery")

Part = TypeVar("Part")


def direction(
    way: OneWay,
    outcome: Outcome,
    rows: Rows,
    name: str,
    blocking: Blocking,
    values: dict[str, Poolable],
    blocks: dict[str, tuple[Poolable, ...]],
) -> Direction:
    """Summarise one direction; what can be pooled goes into `values` under its threshold's name, and into
    `blocks` a part a block."""
    n, lost, late, recovered, residual = (
        int(np.count_nonzero(mask))
        for mask in (outcome.population, outcome.lost, outcome.late, outcome.recovered, outcome.residual)
    )
    arrived = outcome.population & ~outcome.lost
    received = np.where(arrived, way.arrived, NEVER)
    variation = _variation(way, outcome.population, np.where(arrived, way.excess, NEVER))
    late_rows, ranked = reordered_rows(way.stream, way.sequence, received)
    times, repaired, never = recovery_times(way, outcome)
    jitter_rows, levels = jitter_levels_by_row(way.stream, way.departed, received)
    parts: dict[str, tuple[Poolable, ...]] = {
        "loss": blocking.shares(outcome.lost, outcome.population),
        "residual": blocking.shares(outcome.residual, outcome.population),
        "recovered": blocking.shares(outcome.recovered, outcome.lost | outcome.late),
        "reordered": blocking.shares(late_rows, ranked),
        "pdv": blocking.populations(way.excess, arrived, outcome.lost),
        "ipdv": blocking.populations(np.abs(variation), variation != NEVER),
        "recovery": blocking.populations(times, repaired, never),
        "jitter": blocking.jitters(jitter_rows, levels),
    }
    share = {metric: Share.pooled(_each(parts[metric], Share)) for metric in SHARES}
    population = {metric: Population.pooled(_each(parts[metric], Population)) for metric in POPULATIONS}
    jittered = jitter_summary(way.stream[jitter_rows], levels)
    kept: Mapping[str, Poolable] = {**share, **population, "jitter": jittered}
    values |= {f"{name}.{metric}": value for metric, value in kept.items()}
    blocks |= {f"{name}.{metric}": part for metric, part in parts.items()}
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


def _variation(way: OneWay, population: Mask, delay: Times) -> Times:
    """IPDV by row, of packets that left one after the other (RFC 3393): what was lost on its way to the node divides no
    pair of what the node sent."""
    left = arrival_order(way.stream, np.where(population, way.departed, NEVER))
    variation = np.full(len(delay), NEVER)
    numbers = departure_numbers(way.stream[left], way.sequence[left])
    variation[left] = ipdv(way.stream[left], numbers, delay[left])
    return variation


def _each(parts: Iterable[Poolable], kind: type[Part]) -> list[Part]:
    return [part for part in parts if isinstance(part, kind)]
