"""Shifts without a distribution: Hodges-Lehmann, by signed ranks for pairs and by ranks for two samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from probe.analysis.delay import Floats


@dataclass(frozen=True, slots=True)
class Shift:
    """`value` with its interval; `low` and `high` None where so few values have none. `p`: two-sided, of no shift."""

    value: float
    low: float | None
    high: float | None
    coverage: float
    statistic: float
    p: float


@lru_cache(maxsize=64)
def _signed_rank_counts(n: int) -> tuple[int, ...]:
    """How many of the 2^n sign patterns give each sum of positive ranks."""
    counts = [1] + [0] * (n * (n + 1) // 2)
    for rank in range(1, n + 1):
        for total in range(len(counts) - 1, rank - 1, -1):
            counts[total] += counts[total - rank]
    return tuple(counts)


@lru_cache(maxsize=256)
def _rank_sum_counts(first: int, second: int) -> tuple[int, ...]:
    """How many of the choices of `first` from both give each Mann-Whitney U."""
    table = [[[1]] * (second + 1)] + [[[1]] + [[] for _ in range(second)] for _ in range(first)]
    for i in range(1, first + 1):
        for j in range(1, second + 1):
            with_last, without = table[i - 1][j], table[i][j - 1]
            counts = [0] * (i * j + 1)
            for at, number in enumerate(with_last):
                counts[at + j] += number
            for at, number in enumerate(without):
                counts[at] += number
            table[i][j] = counts
    return tuple(table[first][second])


def _ordinal(counts: tuple[int, ...], tail: float) -> tuple[int, float]:
    """(k, coverage): the k-th smallest and largest of the averages or differences enclose the shift."""
    total, below, k = sum(counts), 0, 0
    while k < len(counts) and (below + counts[k]) / total <= tail:
        below += counts[k]
        k += 1
    return k, 1 - 2 * below / total


def _of(ordered: Floats, counts: tuple[int, ...], confidence: float, statistic: float, p: float) -> Shift:
    k, coverage = _ordinal(counts, (1 - confidence) / 2)
    n = len(ordered)
    pair = ordered[(n - 1) // 2], ordered[n // 2]
    value = float(pair[0] if pair[0] == pair[1] else sum(pair) / 2)
    low, high = (float(ordered[k - 1]), float(ordered[n - k])) if k else (None, None)
    return Shift(value, low, high, coverage if k else 0.0, statistic, p)


def paired_shift(differences: Floats, confidence: float = 0.95) -> Shift:
    """The median of the Walsh averages and its signed-rank interval (Wilcoxon; Hollander and Wolfe 3.2).

    At least one difference; infinite ones are ranked like any other. Six are the fewest with a 95 % interval.
    """
    n = len(differences)
    i, j = np.triu_indices(n)
    with np.errstate(invalid="ignore"):
        walsh = (differences[i] + differences[j]) / 2
    walsh = np.sort(np.where(np.isnan(walsh), 0.0, walsh))  # plus and minus infinity cancel
    counts = _signed_rank_counts(n)
    smaller = min(_rank_sum(differences, 1), _rank_sum(differences, -1))
    p = min(1.0, 2 * sum(counts[: math.floor(smaller) + 1]) / 2**n)
    return _of(walsh, counts, confidence, smaller, p)


def _rank_sum(differences: Floats, sign: int) -> float:
    ranks = _mid_ranks(np.abs(differences[differences != 0]))
    return float(ranks[np.sign(differences[differences != 0]) == sign].sum())


def _mid_ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2)[inverse]
    return ranks


def unpaired_shift(first: Floats, second: Floats, confidence: float = 0.95) -> Shift:
    """The median of all differences first - second, its rank-sum interval, Mann-Whitney's U of `first`."""
    with np.errstate(invalid="ignore"):
        differences = np.subtract.outer(first, second).ravel()
    differences = np.sort(np.where(np.isnan(differences), 0.0, differences))
    u = float((differences > 0).sum() + (differences == 0).sum() / 2)
    counts = _rank_sum_counts(len(first), len(second))
    smaller = math.floor(min(u, len(differences) - u))
    p = min(1.0, 2 * sum(counts[: smaller + 1]) / sum(counts))
    return _of(differences, counts, confidence, u, p)
