"""Whether values rise or fall over time, by how much, and since when: without assuming a distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import copysign, sqrt
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True, slots=True)
class Trend:
    """Mann-Kendall's S, its variance and two-sided p; Theil and Sen's slope a step, with its interval."""

    s: int
    variance: float
    z: float
    p: float
    slope: float
    low: float
    high: float


def trend(values: Sequence[float], confidence: float = 0.95) -> Trend:
    """Of values at equal steps. ValueError of fewer than two."""
    n = len(values)
    if n < 2:
        raise ValueError("a trend needs two values or more")
    s = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    ties = np.unique(np.asarray(values, np.float64), return_counts=True)[1]
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    # Continuity: S moves in steps of two.
    z = (s - copysign(1, s)) / sqrt(variance) if s and variance else 0.0
    slopes = sorted((values[k] - values[i]) / (k - i) for i, k in combinations(range(n), 2))
    spread = NormalDist().inv_cdf((1 + confidence) / 2) * sqrt(variance)
    low = max(round((len(slopes) - spread) / 2) - 1, 0)
    high = min(round((len(slopes) + spread) / 2), len(slopes) - 1)
    p = 2 * (1 - NormalDist().cdf(abs(z)))
    return Trend(s, variance, z, p, float(np.median(slopes)), slopes[low], slopes[high])


def first_alarm(
    values: Sequence[float], mean: float, deviation: float, slack: float = 0.5, limit: float = 5.0
) -> int | None:
    """Index of the first value at which a one-sided CUSUM of a rise exceeds `limit` deviations (Page 1954).

    Each value adds what it is above the mean, less `slack` deviations; the sum is never below 0.
    """
    total = 0.0
    for index, value in enumerate(values):
        total = max(0.0, total + (value - mean) / deviation - slack)
        if total > limit:
            return index
    return None
