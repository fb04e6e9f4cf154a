"""Intervals that assume no distribution: of a quantile by order statistics, of a ratio by the binomial.

They hold for independent values; packets 20 ms apart are not. Give them what `dependence` makes of a run:
values of blocks or sessions, or counts divided by the inflation of the variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from probe.analysis.binomial import at_least, at_most, beta_quantile, first_true
from probe.analysis.delay import Floats
from probe.analysis.population import Population
from probe.analysis.results import FAIL, INCONCLUSIVE, PASS

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, either of which may be infinite: a limit there is not enough data for, or
    one that lies among the lost (`QuantileRanks` tells which)."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class QuantileRanks:
    """Ranks from 1 of the order statistics that enclose a quantile; `coverage` is what they do so with.

    `lower` 0 or `upper` n + 1 says that the values are too few for that limit: it is infinite, and not
    the smallest or the largest value.
    """

    n: int
    lower: int
    upper: int
    coverage: float

    @property
    def enough(self) -> bool:
        return self.lower >= 1 and self.upper <= self.n


def quantile_ranks(n: int, p: float, confidence: float = CONFIDENCE) -> QuantileRanks:
    """Equal tails: P(X_(j) <= q_p < X_(k)) = F(k - 1) - F(j - 1) with F of Bin(n, p) (RFC 2330 11.3
    quantiles; David and Nagaraja, Order Statistics, 7.1)."""
    tail = (1 - confidence) / 2
    # j is the largest with F(j - 1) <= tail, k the smallest with F(k - 1) >= 1 - tail.
    lower = first_true(1, n, lambda j: at_most(j - 1, n, p) > tail) - 1
    upper = first_true(1, n, lambda k: at_least(k, n, p) <= tail)
    below = at_most(lower - 1, n, p) if lower else 0.0
    above = at_least(upper, n, p) if upper <= n else 0.0
    return QuantileRanks(n, lower, upper, 1 - below - above)


def quantile_interval(
    population: Population, per_mille: int, confidence: float = CONFIDENCE
) -> tuple[Interval, QuantileRanks]:
    """Of a percentile of a population whose lost count as infinite (RFC 7679 5.1)."""
    ranks = quantile_ranks(population.n, per_mille / 1000, confidence)
    finite = population.finite
    low = -math.inf if ranks.lower == 0 else _ranked(finite, ranks.lower)
    return Interval(low, _ranked(finite, ranks.upper)), ranks


def _ranked(finite: Floats, rank: int) -> float:
    return float(finite[rank - 1]) if rank <= len(finite) else math.inf


def least_n(p: float, confidence: float = CONFIDENCE, *, two_sided: bool = True) -> int:
    """Fewest values for which a quantile has a finite upper limit: p^n within the upper tail."""
    tail = (1 - confidence) / (2 if two_sided else 1)
    n = max(1, math.floor(math.log(tail) / math.log(p)))
    return n if p**n <= tail else n + 1


def wilson(hits: float, n: float, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a ratio. Counts may be fractions: divided by an inflation."""
    if n <= 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = hits / n
    middle = share + z**2 / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    low, high = (middle - half) / scale, (middle + half) / scale
    return Interval(low if hits > 0 else 0.0, high if hits < n else 1.0)


def clopper_pearson(hits: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """The exact interval of a ratio, never short of its confidence."""
    tail = (1 - confidence) / 2
    low = beta_quantile(hits, n - hits + 1, tail) if hits else 0.0
    high = beta_quantile(hits + 1, n - hits, 1 - tail) if hits < n else 1.0
    return Interval(low, high)


def upper_of_none(n: int, confidence: float = CONFIDENCE) -> float:
    """One-sided upper limit of a ratio of which no case was seen: about 3 / n, the rule of three."""
    return -math.expm1(math.log(1 - confidence) / n)


def quantile_gate(
    above: float, n: float, p: float, *, significance: float = 0.05, inflation: float = 1.0
) -> str:
    """Whether the p-quantile is within a limit that `above` of `n` values exceed (lost ones do).

    PASS or FAIL if that many is too few or too many for a share of 1 - p, else INCONCLUSIVE. With an
    `inflation` of the variance both counts shrink, rounded against either verdict.
    """
    size = math.floor(n / inflation)
    fewest, most = math.floor(above / inflation), math.ceil(above / inflation)
    if size and at_most(most, size, 1 - p) <= significance:
        return PASS
    if size and at_least(fewest, size, 1 - p) <= significance:
        return FAIL
    return INCONCLUSIVE
