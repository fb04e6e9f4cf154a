"""Questions that every batch asks: which of these keys is new, and which number comes next.

Packets of many streams come in the order of their phases, which is any order of the streams: what is asked here costs
one sort of numbers at most, never one of rows.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from probe.metrics import Times

_FEW = 16
"""Where no more than one row in so many has a key that stands before, these are counted one by one: a few operations
on arrays cost as much."""


_TURNS = 8
"""Of many streams a batch has a packet or a few each. Where it has more, their order is no help."""


def ascending(keys: NDArray[np.int64]) -> bool:
    """Whether each key is greater than the one before: none stands twice."""
    return len(keys) < 2 or np.count_nonzero(keys[1:] > keys[:-1]) == len(keys) - 1


def distinct(keys: NDArray[np.int64]) -> bool:
    """Whether no key stands twice."""
    return ascending(keys) or ascending(np.sort(keys))


def repeats(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows whose key (0 or more, none very large) stands before, and for each the row where it stands first."""
    rows = np.arange(len(keys))
    first = np.empty(int(np.maximum.reduce(keys)) + 1, np.int64)
    first[keys[::-1]] = rows[::-1]  # in order: of several the last one stays
    at = first[keys]
    again = np.flatnonzero(at != rows)
    return again, at[again]


def occurrences(keys: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """(n,) how often each key (0 or more, none very large) stands before; None if none stands twice."""
    return None if len(keys) < 2 else counted(keys, repeats(keys)[0])


def counted(keys: NDArray[np.int64], again: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """`occurrences` for one who knows which rows have a key that stands before."""
    if not len(again):
        return None
    if len(again) > len(keys) // _FEW:
        return _counted_in_order(keys)
    before = np.zeros(len(keys), np.int64)
    times: dict[int, int] = {}
    for row, key in zip(again.tolist(), keys[again].tolist(), strict=True):
        before[row] = times[key] = times.get(key, 0) + 1
    return before


def _counted_in_order(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sorts numbers that hold key and row: several times as fast as finding the order of the keys."""
    rows = np.arange(len(keys))
    if keys[0] == keys[-1] and not np.count_nonzero(keys != keys[0]):
        return rows
    bits = len(keys).bit_length()
    ordered = np.sort(keys << bits | rows)
    row = ordered & (1 << bits) - 1
    ordered >>= bits
    begins = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    start, before = np.zeros(len(keys), np.int64), np.empty(len(keys), np.int64)
    start[begins] = begins
    before[row] = rows - np.maximum.accumulate(start)
    return before


def in_turns(stream: NDArray[np.int64], index: NDArray[np.int64], streams: int) -> NDArray[np.int64] | None:
    """`occurrences` where no stream, of so many, stands twice at the same index and the index never falls."""
    number, last = int(index[0]), int(index[-1])
    if last - number > _TURNS:
        return occurrences(stream)
    if number == last:
        return None
    times, before = np.zeros(streams, np.int64), np.zeros(len(stream), np.int64)
    start, middle = 0, bisect_left(index.data, number + 1)
    while middle < len(stream):
        times[stream[start:middle]] += 1
        number += 1
        end = bisect_left(index.data, number + 1, middle)
        before[middle:end] = times[stream[middle:end]]
        start, middle = middle, end
    return before


def mark(seen: NDArray[np.bool_], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) which keys have been seen before, here or in `seen`; all of them have from now on."""
    known = seen[keys] | ~first_occurrences(keys)
    seen[keys] = True
    return known


def first_occurrences(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where a key stands for the first time in `keys`."""
    if distinct(keys):
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
