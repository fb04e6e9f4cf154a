"""Student's t: how far an estimate from few units may lie from the truth, by the incomplete beta function."""

from __future__ import annotations

import math
from functools import lru_cache

from probe.analysis.binomial import beta_quantile, incomplete_beta


def beyond(t: float, freedom: int) -> float:
    """P(T > t) with so many degrees of freedom."""
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    tail = 0.5 * incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))
    return tail if t >= 0 else 1 - tail


@lru_cache(maxsize=256)
def critical(freedom: int, tail: float) -> float:
    """The t that is exceeded with probability `tail` (below a half)."""
    x = beta_quantile(freedom / 2, 0.5, 2 * tail)
    return math.sqrt(freedom * (1 - x) / x)


@lru_cache(maxsize=256)
def least_variance(freedom: int, tail: float) -> float:
    """How small, of a true variance of 1, one of so many degrees of freedom may come out: chi-square's lower
    quantile over its mean."""
    low, high = 0.0, float(freedom)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _gamma_below(freedom / 2, middle / 2) < tail else (low, middle)
    return high / freedom


def _gamma_below(a: float, x: float) -> float:
    """The regularised lower incomplete gamma function, by its series (DLMF 8.11.4); x about a or less."""
    term = total = 1 / a
    n = a
    while term > total * 1e-15:
        n += 1
        term *= x / n
        total += term
    return total * math.exp(a * math.log(x) - x - math.lgamma(a)) if x > 0 else 0.0
