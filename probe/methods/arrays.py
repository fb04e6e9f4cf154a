"""Questions that every batch asks: which of these keys is new, and which number comes next.

A batch mostly holds one packet, packets of one stream, or one packet each of ascending streams: these are
told apart first, because sorting is what costs.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from probe.metrics import Times

_FEW = 8


def ascending(keys: NDArray[np.int64]) -> bool:
    """Whether each key is greater than the one before: none stands twice."""
    return len(keys) < 2 or np.count_nonzero(keys[1:] > keys[:-1]) == len(keys) - 1


def occurrences(keys: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """(n,) how often each key (0 or more, none very large) stands before; None if none stands twice."""
    falls = np.flatnonzero(keys[1:] <= keys[:-1]) + 1
    if not len(falls):
        return None
    if len(falls) <= _FEW:
        seen = np.zeros(int(keys.max()) + 1, np.int64)
        before = np.empty(len(keys), np.int64)
        for start, end in pairwise([0, *falls.tolist(), len(keys)]):
            run = keys[start:end]
            before[start:end] = seen[run]
            seen[run] += 1
        return before
    if len(falls) == len(keys) - 1 and (keys == keys[0]).all():
        return np.arange(len(keys))
    order = np.argsort(keys, kind="stable")
    _, first, count = np.unique(keys[order], return_index=True, return_counts=True)
    before = np.empty(len(keys), np.int64)
    before[order] = np.arange(len(keys)) - np.repeat(first, count)
    return before


def mark(seen: NDArray[np.bool_], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) which keys have been seen before, here or in `seen`; all of them have from now on."""
    falls = np.flatnonzero(keys[1:] <= keys[:-1]) + 1
    if len(falls) > _FEW:
        known = seen[keys] | ~first_occurrences(keys)
        seen[keys] = True
        return known
    known = np.empty(len(keys), np.bool_)
    for start, end in pairwise([0, *falls.tolist(), len(keys)]):
        known[start:end] = seen[keys[start:end]]
        seen[keys[start:end]] = True
    return known


def first_occurrences(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where a key stands for the first time in `keys`."""
    if ascending(keys):
        return np.ones(len(keys), np.bool_)
    first = np.zeros(len(keys), np.bool_)
    first[np.unique(keys, return_index=True)[1]] = True
    return first


def take_numbers(
    next_of: NDArray[np.int64], stream: NDArray[np.int64], before: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """The next number of each row's stream; several rows of one stream count on. `next_of` is advanced.
    `before` is `occurrences(stream)`."""
    number = next_of[stream]
    if before is not None:
        number += before
    next_of[stream] = number + 1  # in order: of several the last one stays
    return number


def last_rows(stream: NDArray[np.int64]) -> NDArray[np.intp] | slice:
    """Where each stream stands for the last time, in the order of streams."""
    if ascending(stream):
        return slice(None)
    if (stream == stream[0]).all():
        return slice(len(stream) - 1, None)
    return len(stream) - 1 - np.unique(stream[::-1], return_index=True)[1]


def count_up(column: NDArray[np.uint8], keys: NDArray[np.int64]) -> None:
    """Add one for each of `keys`, stopping at 255."""
    unique, count = np.unique(keys, return_counts=True)
    column[unique] = np.minimum(column[unique].astype(np.int64) + count, 255)


class LastTimes:
    """When something last happened to a key: of few keys among very many, and none for long."""

    def __init__(self) -> None:
        self._keys: NDArray[np.int64] = np.zeros(0, np.int64)
        self._time_ns: Times = np.zeros(0, np.int64)

    def since(self, keys: NDArray[np.int64], time_ns: Times, never: int) -> Times:
        """(n,) how long before `time_ns` it last happened; `never` where it did not."""
        at = self._keys.searchsorted(keys)
        at[at == len(self._keys)] = 0
        known = self._keys[at] == keys if len(self._keys) else np.zeros(len(keys), np.bool_)
        since = np.full(len(keys), never)
        since[known] = time_ns[known] - self._time_ns[at[known]]
        return since

    def note(self, keys: NDArray[np.int64], time_ns: Times, forget_ns: int) -> None:
        """It happened to `keys` (ascending); forget what was before `forget_ns`."""
        kept = (self._time_ns >= forget_ns) & ~np.isin(self._keys, keys)
        joined = np.concatenate([self._keys[kept], keys])
        order = np.argsort(joined)
        self._keys = joined[order]
        self._time_ns = np.concatenate([self._time_ns[kept], time_ns])[order]
