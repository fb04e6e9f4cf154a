"""The binomial distribution by the regularised incomplete beta function, for any number of packets."""

from __future__ import annotations

import math
from collections.abc import Callable

TINY = 1e-300
CONVERGED = 1e-15
STEPS = 100_000
"""Terms a continued fraction may take; it needs about the square root of the larger parameter."""


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b), by Lentz's evaluation of its continued fraction (DLMF 8.17.22)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # where the fraction converges fast
        return 1 - incomplete_beta(b, a, 1 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            change = c * d
            value *= change
        if abs(change - 1) < CONVERGED:
            break
    return math.exp(log_front) * value / a


def _away_from_zero(value: float) -> float:
    return TINY if abs(value) < TINY else value


def at_most(k: int, n: int, p: float) -> float:
    """P(Bin(n, p) <= k)."""
    if k < 0:
        return 0.0
    return 1.0 if k >= n else incomplete_beta(n - k, k + 1, 1 - p)


def at_least(k: int, n: int, p: float) -> float:
    """P(Bin(n, p) >= k), without the loss of digits of 1 - P(< k)."""
    if k <= 0:
        return 1.0
    return 0.0 if k > n else incomplete_beta(k, n - k + 1, p)


def first_true(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The smallest of `low` to `high` from which on `holds`, or `high` + 1; by bisection."""
    high += 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def beta_quantile(a: float, b: float, level: float) -> float:
    """The x with I_x(a, b) = level."""
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        if incomplete_beta(a, b, middle) < level:
            low = middle
        else:
            high = middle
