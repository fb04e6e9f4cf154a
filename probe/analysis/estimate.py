"""An interval for every kind of value a threshold can name, and the chance that the limit is broken by luck.

| value | interval |
|---|---|
| share | Wilson's, overdispersed by units (`clustered`) |
| percentile of packets | order statistics: those whose exceedance share is surely below or above 1 - p |
| percentile of sessions | order statistics, exact (one value a session) |
| mean | Student's t on units, as of a ratio |
| min, max, worst window, last | what was seen was seen: one end is the value, the other unknown |
| reachable | Wilson's, for show: what counts is the sessions tried |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from probe.analysis.binomial import at_least
from probe.analysis.clustered import Shares, shares_of
from probe.analysis.delay import Floats
from probe.analysis.intervals import quantile_interval, wilson
from probe.analysis.order_statistics import bounds, order_statistics
from probe.analysis.population import PER_MILLE, JitterSummary, Population, Share
from probe.analysis.student import beyond, critical, least_variance
from probe.analysis.units import BLOCK, SESSION, Units
from probe.objectives import METRICS, Expression

DOUBT = 0.05
"""Few blocks may look alike by luck: packets count as independent as far as is sure but for this."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """`low` to `high` in the expression's unit, either None where nothing bounds it, or infinite.

    `n_eff` is how many independent values there are behind it, `units` of `kind` how it was counted.
    `chance` is the probability of a value so bad if the limit were just kept (None: not a matter of chance);
    `score` is how many standard errors the value lies on the wrong side of the limit.
    """

    low: float | None
    high: float | None
    n_eff: float
    kind: str
    units: int
    chance: float | None = None
    score: float = 0.0
    needed: float = 0.0
    certain: bool = False
    """`certain`: the verdict is on what was seen, not on what it was drawn from."""


def estimate(expression: Expression, values: Any, units: Units, confidence: float) -> Estimate | None:
    """Of the pooled `values` by their units; None where there are too few units for any interval."""
    aggregate, tail = expression.aggregate, (1 - confidence) / 2
    if expression.metric == "reachable":
        seen = wilson(values.hits, values.n, confidence)
        return Estimate(100 * seen.low, 100 * seen.high, values.n, SESSION, values.n, certain=True)
    if isinstance(values, Population) and aggregate in PER_MILLE:
        if METRICS[expression.metric].per_session:
            return _of_sessions(expression, values, PER_MILLE[aggregate], confidence)
        return None if len(units.parts) < 2 else _percentile(expression, values, units, tail)
    if isinstance(values, Share):
        return None if len(units.parts) < 2 else _share(expression, units, tail)
    if aggregate == "mean" and len(units.parts) >= 2:
        return _mean(expression, units, tail)
    if aggregate == "mean":
        return None
    return _extreme(expression, values, units)


def _extreme(expression: Expression, values: Any, units: Units) -> Estimate:
    value = values.value(expression.aggregate)
    low, high = (None, value) if expression.aggregate == "min" else (value, None)
    if expression.aggregate == "last":
        low = high = value
    return Estimate(low, high, values.n, units.kind, len(units.parts), certain=True)


def _share(expression: Expression, units: Units, tail: float) -> Estimate:
    hits = np.array([[part.hits] for part in units.parts], np.float64)
    n = np.array([part.n for part in units.parts], np.float64)
    found = shares_of(hits, n, units.neighbours, units.independent)
    low, high = found.interval(tail)
    return _estimate(expression, found, 0, expression.limit / 100, tail, units, 100 * low[0], 100 * high[0])


def _estimate(
    expression: Expression,
    found: Shares,
    column: int,
    against: float,
    tail: float,
    units: Units,
    low: float,
    high: float,
) -> Estimate:
    score = found.score(column, against)
    if expression.op[0] == ">" and METRICS[expression.metric].unit == "%":
        score = -score
    return Estimate(
        float(low),
        float(high),
        float(found.n_eff[column]),
        units.kind,
        len(units.parts),
        beyond(score, int(found.freedom[column])),
        score,
        critical(int(found.freedom[column]), tail),
    )


def _percentile(expression: Expression, values: Population, units: Units, tail: float) -> Estimate:
    """A value is surely above the percentile when surely less than 1 - p of all exceed it, and the reverse."""
    beyond_it = 1 - PER_MILLE[str(expression.aggregate)] / 1000
    grid = order_statistics(values.finite)
    limit = expression.limit
    # The last column asks how many break the limit itself: `<` is broken by a value that equals it.
    exceed = np.array([_above(part, grid, limit, expression) for part in units.parts], np.float64)
    n = np.array([part.n for part in units.parts], np.float64)
    found = shares_of(exceed, n, units.neighbours, units.independent)
    least, most = found.interval(tail)
    low, high = bounds(grid, least[:-1], most[:-1], beyond_it)
    low, high = _widened(low, high, values, units, str(expression.aggregate), tail)
    inner = _independent(values, units, expression)
    made = _estimate(expression, found, -1, beyond_it, tail, units, low, high)
    return Estimate(
        made.low,
        made.high,
        inner,
        made.kind,
        made.units,
        made.chance if expression.op[0] == "<" else beyond(-made.score, int(found.freedom[-1])),
        made.score if expression.op[0] == "<" else -made.score,
        made.needed,
    )


def _above(part: Population, grid: Floats, limit: float, expression: Expression) -> Floats:
    side = "left" if expression.op in ("<", ">=") else "right"
    exceed = np.r_[np.searchsorted(part.finite, grid, "right"), np.searchsorted(part.finite, limit, side)]  # type: ignore[call-overload]
    above: Floats = part.n - exceed.astype(np.float64)
    return above


def _widened(
    low: float, high: float, values: Population, units: Units, aggregate: str, tail: float
) -> tuple[float, float]:
    """At least as wide as the units' own percentiles scatter, by Student's t of their logarithms.

    Where whole days or sessions are slower or faster, what exceeds a level comes from the few slow ones, and
    a sample without them looks surer than it is.
    """
    level = values.value(aggregate)
    own = [part.value(aggregate) for part in units.parts]
    known = [value for value in own if value is not None and 0 < value < math.inf]
    if units.kind == BLOCK or not level or math.isinf(level) or len(known) < len(own):
        return low, high
    logs = np.log(np.array(known))
    factor = math.exp(critical(units.independent - 1, tail) * float(logs.std(ddof=1)) / math.sqrt(len(logs)))
    return min(low, level / factor), max(high, level * factor)


def _independent(values: Population, units: Units, expression: Expression) -> float:
    """How many of the packets are independent as to the percentile: by blocks about their session's mean."""
    level = values.value(expression.aggregate)
    n = np.array([part.n for part in units.blocks], np.float64)
    at = math.inf if level is None else level
    hits = np.array([part.n - np.searchsorted(part.finite, at, "left") for part in units.blocks], np.float64)
    sessions = int(units.session[-1]) + 1
    freedom = len(n) - sessions
    total, share = n.sum(), hits.sum() / n.sum()
    if freedom < 1 or not 0 < share < 1:
        return float(total)
    mean = np.bincount(units.session, hits) / np.bincount(units.session, n)
    off = hits - mean[units.session] * n
    inflation = (off**2).sum() / freedom / (share * (1 - share) * total / len(n))
    return max(1.0, float(total / max(1.0, inflation / least_variance(freedom, DOUBT))))


def _of_sessions(
    expression: Expression, values: Population, per_mille: int, confidence: float
) -> Estimate | None:
    interval, ranks = quantile_interval(values, per_mille, confidence)
    broken = values.n - int(
        np.searchsorted(values.finite, expression.limit, "left" if expression.op == "<" else "right")
    )
    if expression.op[0] == "<":
        chance = at_least(broken, values.n, 1 - per_mille / 1000)
    else:
        chance = at_least(values.n - broken, values.n, per_mille / 1000)
    low = interval.low if ranks.lower else None
    high = interval.high if ranks.upper <= values.n else None
    return Estimate(low, high, values.n, SESSION, values.n, chance)


def _mean(expression: Expression, units: Units, tail: float) -> Estimate | None:
    sums, n = _sums(units.parts)
    if n.sum() == 0:
        return None
    mean = sums.sum() / n.sum()
    count = len(n)
    error = math.sqrt(count / (count - 1) * float(((sums - mean * n) ** 2).sum())) / float(n.sum())
    t = critical(count - 1, tail)
    over = mean - expression.limit
    score = over / error if error else math.copysign(math.inf, over) if over else 0.0
    if expression.op[0] == ">":
        score = -score
    chance = beyond(score, count - 1)
    return Estimate(mean - t * error, mean + t * error, float(n.sum()), units.kind, count, chance, score, t)


def _sums(parts: Sequence[Any]) -> tuple[Floats, Floats]:
    if isinstance(parts[0], JitterSummary):
        return np.array([part.total for part in parts]), np.array([float(part.n) for part in parts])
    sums = np.array([float(part.finite.sum()) for part in parts])
    return sums, np.array([float(len(part.finite)) for part in parts])
