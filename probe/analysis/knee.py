"""Where more load stops paying: the knee of a curve, and the peak of the universal scalability law."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike


def knee(x: ArrayLike, y: ArrayLike) -> float:
    """The x at which a rising, flattening curve is farthest above its chord (Satopaa et al. 2011, Kneedle).

    ValueError of a curve that does not extend both ways.
    """
    across, up = np.asarray(x, np.float64), np.asarray(y, np.float64)
    width, height = across[-1] - across[0], up.max() - up.min()
    if width <= 0 or height <= 0:
        raise ValueError("a curve needs a width and a height to have a knee")
    above = (up - up.min()) / height - (across - across[0]) / width
    return float(across[int(np.argmax(above))])


def scalability(load: float, contention: float, coherency: float, alone: float = 1.0) -> float:
    """Throughput at a load (Gunther's universal scalability law)."""
    return alone * load / (1 + contention * (load - 1) + coherency * load * (load - 1))


def best_load(contention: float, coherency: float) -> float:
    """The load of the largest throughput."""
    return sqrt((1 - contention) / coherency)
