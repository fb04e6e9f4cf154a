"""Which order statistics enclose a percentile, given how many packets surely exceed each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from probe.analysis.delay import Floats

STEP = 1.05

Number = TypeVar("Number", np.int64, np.float64)

GRID, TAIL = 1000, 200
"""Order statistics looked at: so many over the whole range, and the largest ones."""


def order_statistics(finite: NDArray[Number]) -> NDArray[Number]:
    """Some of ascending values, each once."""
    n = len(finite)
    if n == 0:
        return finite
    ranks = np.r_[
        np.linspace(0, n - 1, min(n, GRID)).round().astype(np.int64), np.arange(max(0, n - TAIL), n)
    ]
    return np.unique(finite[ranks])


def around(ordered: NDArray[Number], n: int, per_mille: Sequence[int]) -> NDArray[Number]:
    """Of ascending values, the finite of `n`, those about each percentile: each a little farther off than the one
    before, so that an interval of any width ends within 5 % of its width on one of them."""
    away = np.rint(STEP ** np.arange(math.ceil(math.log(n + 1, STEP)))).astype(np.int64)
    offsets = np.r_[-away, 0, away]
    ranks = np.concatenate([-(-level * n // 1000) - 1 + offsets for level in per_mille])
    return np.unique(ordered[np.unique(np.clip(ranks, 0, len(ordered) - 1))])


def bounds(grid: NDArray[Any], least: Floats, most: Floats, beyond_it: float) -> tuple[float, float]:
    """Of a percentile beyond which this share lies, from the `least` and the `most` that exceed each of `grid`.

    Infinite where it may lie among those that never came.
    """
    surely_above = most <= beyond_it + 1e-12
    unsure = np.flatnonzero(~surely_above)
    first = int(unsure[-1]) + 1 if len(unsure) else 0
    high = float(grid[first]) if first < len(grid) else math.inf
    not_below = np.flatnonzero(least <= beyond_it)
    low = float(grid[not_below[0]]) if len(not_below) else math.inf
    return min(low, high), high
