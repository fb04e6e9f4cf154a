"""The same node seen from several places of ours: each with an interval, and how they differ.

The session is the unit: its packets are alike, other sessions are another draw. Values are each session's 95th
percentile of the round trip; a place's is their median with the interval of order statistics. The difference of two
places is that of Hodges and Lehmann, which assumes no distribution: of the medians of the days that both measured,
paired, where there are `DAYS` of them, because a day's sessions share its weather; of the sessions otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import numpy as np

from probe.analysis.delay import Floats
from probe.analysis.intervals import CONFIDENCE, Interval, quantile_interval
from probe.analysis.paired import paired_shift
from probe.analysis.population import Population

DAYS = 6
"""Fewest pairs with a signed-rank interval of 95 %."""
DAY, SESSION = "day", "session"


@dataclass(frozen=True, slots=True)
class Place:
    """Where we measured from."""

    name: str | None
    isp: str | None = None
    city: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured, of which node, in which zone; only the same cell is compared across places."""

    country: str
    vendor: str
    node: str
    node_city: str | None
    timezone: str
    scenario: str
    network: str
    window: str
    transport: str
    emulated: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """One session of a cell from a place: its local date, 95th percentile (ms, may be infinite) and counts."""

    cell: Cell
    place: Place
    date: str
    p95_ms: float
    lost: int
    sent: int


@dataclass(frozen=True, slots=True)
class VantageRow:
    """One cell from one place. `difference` is to `against`, the place with the smallest median, or None; it rests
    on units of `counted_in` (day, session)."""

    cell: Cell
    place: Place
    sessions: int
    days: int
    p95_ms: float
    interval: Interval
    loss_ratio: float
    against: Place | None = None
    difference_ms: float | None = None
    difference: Interval | None = None
    counted_in: str | None = None


@dataclass(slots=True)
class _Group:
    by_day: dict[str, list[float]] = field(default_factory=dict)
    lost: int = 0
    sent: int = 0

    @property
    def p95(self) -> list[float]:
        return [value for values in self.by_day.values() for value in values]


def vantage_rows(sessions: Iterable[Seen], confidence: float = CONFIDENCE) -> list[VantageRow]:
    """A row for each cell and place, cells in order, the place with the smallest median first."""
    cells: dict[Cell, dict[Place, _Group]] = {}
    for seen in sessions:
        group = cells.setdefault(seen.cell, {}).setdefault(seen.place, _Group())
        group.by_day.setdefault(seen.date, []).append(seen.p95_ms)
        group.lost += seen.lost
        group.sent += seen.sent
    rows = []
    for cell in sorted(cells, key=_order):
        found = [_row(cell, place, group, confidence) for place, group in cells[cell].items()]
        found.sort(key=lambda row: (row.p95_ms, str(row.place.name)))
        rows += [found[0]]
        base = cells[cell][found[0].place]
        rows += [_against(row, found[0], cells[cell][row.place], base, confidence) for row in found[1:]]
    return rows


def hodges_lehmann(
    values: Sequence[float], base: Sequence[float], confidence: float
) -> tuple[float, Interval]:
    """By how much `values` lie above `base`: the median of all differences, and its interval.

    Ranks of the Mann-Whitney statistic, normal approximation rounded outwards (Hollander and Wolfe,
    Nonparametric Statistical Methods, 4.3); infinite limits where the values are too few.
    """
    first, second = np.asarray(values, np.float64), np.asarray(base, np.float64)
    with np.errstate(invalid="ignore"):
        differences = np.sort((first[:, None] - second[None, :]).ravel())
    differences = differences[~np.isnan(differences)]  # infinity less infinity says nothing
    m, n = len(first), len(second)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rank = math.floor(m * n / 2 - z * math.sqrt(m * n * (m + n + 1) / 12))
    if rank < 1 or not len(differences):
        return _middle(differences), Interval(-math.inf, math.inf)
    low, high = differences[min(rank, len(differences)) - 1], differences[-min(rank, len(differences))]
    return _middle(differences), Interval(float(low), float(high))


def _middle(ordered: Floats) -> float:
    if not len(ordered):
        return math.nan
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(low if low == high else (low + high) / 2)


def _row(cell: Cell, place: Place, group: _Group, confidence: float) -> VantageRow:
    values = group.p95
    finite = np.sort([value for value in values if math.isfinite(value)])
    population = Population(np.asarray(finite, np.float64), len(values) - len(finite))
    interval, _ = quantile_interval(population, 500, confidence)
    middle = population.percentile(500)
    loss = group.lost / group.sent if group.sent else 0.0
    assert middle is not None
    return VantageRow(cell, place, len(values), len(group.by_day), middle, interval, loss)


def _against(row: VantageRow, best: VantageRow, group: _Group, base: _Group, confidence: float) -> VantageRow:
    middle, interval, counted_in = difference(group.by_day, base.by_day, confidence)
    return replace(
        row,
        against=best.place,
        difference_ms=None if math.isnan(middle) else middle,
        difference=interval,
        counted_in=counted_in,
    )


def difference(
    values: Mapping[str, Sequence[float]], base: Mapping[str, Sequence[float]], confidence: float
) -> tuple[float, Interval, str]:
    """By how much `values` (by date) lie above `base`, its interval, and what that counts."""
    both = sorted(values.keys() & base.keys())
    with np.errstate(invalid="ignore"):
        daily = np.array([np.median(values[day]) - np.median(base[day]) for day in both])
    daily = daily[~np.isnan(daily)]  # infinity less infinity says nothing
    shift = paired_shift(daily, confidence) if len(daily) >= DAYS else None
    if shift is not None and shift.low is not None and shift.high is not None:
        return shift.value, Interval(shift.low, shift.high), DAY
    every, others = ([value for day in side.values() for value in day] for side in (values, base))
    return *hodges_lehmann(every, others, confidence), SESSION


def _order(cell: Cell) -> tuple[str, ...]:
    return tuple(str(getattr(cell, name) or "") for name in Cell.__slots__)
