"""Two questions every batch asks: which of these keys is new, and which number comes next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def first_occurrences(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where a key stands for the first time in `keys`."""
    first = np.ones(len(keys), np.bool_)
    if len(keys) > 1:
        first[:] = False
        first[np.unique(keys, return_index=True)[1]] = True
    return first


def take_numbers(next_of: NDArray[np.int64], stream: NDArray[np.int64]) -> NDArray[np.int64]:
    """The next number of each row's stream; several rows of one stream count on. `next_of` is advanced."""
    if len(stream) == 1:
        number = next_of[stream]
        next_of[stream] += 1
        return number
    order = np.argsort(stream, kind="stable")
    unique, start, count = np.unique(stream[order], return_index=True, return_counts=True)
    within = np.empty(len(stream), np.int64)
    within[order] = np.arange(len(stream)) - np.repeat(start, count)
    number = next_of[stream] + within
    next_of[unique] += count
    return number


def count_up(column: NDArray[np.uint8], keys: NDArray[np.int64]) -> None:
    """Add one for each of `keys`, stopping at 255."""
    unique, count = np.unique(keys, return_counts=True)
    column[unique] = np.minimum(column[unique].astype(np.int64) + count, 255)
