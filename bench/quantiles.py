"""Quantiles of what was recorded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.comparison import Sample

_NAMED = {"p50": 0.50, "p99": 0.99, "p99_9": 0.999}


def quantiles(values: NDArray[np.float64], unit: str) -> Sample:
    """p50, p99, p99.9 and the maximum, by name with the unit; nothing of no values.

    Ranks as of `inverted_cdf`: a value that was measured, never one in between.
    """
    if not len(values):
        return {}
    ordered = np.sort(values)
    ranks = {name: max(int(np.ceil(share * len(ordered))) - 1, 0) for name, share in _NAMED.items()}
    return {f"{name}_{unit}": float(ordered[rank]) for name, rank in ranks.items()} | {
        f"max_{unit}": float(ordered[-1])
    }
