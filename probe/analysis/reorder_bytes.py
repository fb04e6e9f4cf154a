"""The byte offset of RFC 4737 4.4 without a loop over packets."""

from __future__ import annotations

import numpy as np

from probe.analysis.delay import Indices, Integers

NEAR = 8
"""Mean extent up to which looking back arrival by arrival is cheaper than sorting."""


def bytes_ahead(seq: Integers, size: Integers, late: Indices, extent: Integers) -> Integers:
    """Bytes of the arrivals before each of `late` that have larger numbers.

    `seq` are unique, in order of arrival; `extent` says how far back the first of them is.
    """
    if int(extent.sum()) <= NEAR * len(seq):
        return _look_back(seq, size, late, extent)
    return _by_halves(seq, size)[late]


def _look_back(seq: Integers, size: Integers, late: Indices, extent: Integers) -> Integers:
    """One array operation a distance, over the packets whose extent reaches so far."""
    total = np.zeros(len(late), np.int64)
    far = np.argsort(-extent, kind="stable")
    reach = np.cumsum(np.bincount(extent)[::-1])[::-1] if len(extent) else np.zeros(0, np.int64)
    for distance in range(1, len(reach)):
        some = far[: reach[distance]]
        at = late[some] - distance
        total[some] += np.where(seq[at] > seq[late[some]], size[at], 0)
    return total


def _by_halves(seq: Integers, size: Integers) -> Integers:
    """For every arrival, by the bits of its rank: log2(n) passes over all.

    Two packets part at the highest bit in which their ranks differ; there the larger one has a 1. Ranks
    are a permutation, so at each bit those that agree above it fill a row of a table.
    """
    bits = max(1, (len(seq) - 1).bit_length())
    count = 1 << bits
    rank = np.arange(count)
    rank[: len(seq)] = np.argsort(np.argsort(seq, kind="stable"), kind="stable")
    weight = np.zeros(count, np.int64)
    weight[: len(seq)] = size
    of_rank = np.empty(count, np.int64)
    of_rank[rank] = weight
    total = np.zeros(count, np.int64)
    current = rank
    for bit in reversed(range(bits)):
        above = (current >> bit & 1).astype(np.bool_)
        passed = np.cumsum(np.where(above, of_rank[current], 0).reshape(-1, 2 << bit), axis=1).ravel()
        low, high = current[~above], current[above]
        total[low] += passed[~above]
        width = 1 << bit
        current = np.stack([low.reshape(-1, width), high.reshape(-1, width)], axis=1).ravel()
    found: Integers = total[rank[: len(seq)]]
    return found
