"""Long arrays a piece at a time, so that what is computed between needs no memory of their length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

PIECE = 1 << 18


def pieces(count: int, length: int | None = None) -> Iterator[slice]:
    """Slices of at most `length` (`PIECE`) that cover `count` items in order."""
    length = length or PIECE
    for start in range(0, count, length):
        yield slice(start, min(start + length, count))


def into_floats(values: NDArray[np.int64]) -> NDArray[np.float64]:
    """The same numbers in the same memory: `values` are no more."""
    floats = values.view(np.float64)
    for piece in pieces(len(values)):
        floats[piece] = values[piece]
    return floats
