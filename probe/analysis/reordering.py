"""Reordered packets (RFC 4737 4.2)."""

from __future__ import annotations

import numpy as np

from probe.analysis.delay import Integers, arrival_order
from probe.analysis.one_way import Mask
from probe.analysis.population import Share
from probe.metrics import Times


def is_reordered(stream: Integers, sequence: Integers) -> Mask:
    """Whether each arrival has a smaller sequence number than one before it in its stream.

    Arrivals are by stream, each stream's in arrival order and without duplicates.
    """
    if len(sequence) == 0:
        return np.zeros(0, np.bool_)
    position = stream * (int(sequence.max()) + 1) + sequence
    late: Mask = position < np.maximum.accumulate(position)
    return late


def reordering(stream: Integers, sequence: Integers, arrived: Times) -> Share:
    """Reordered among the unique arrivals whose sequence number is known (not negative)."""
    late, known = reordered_rows(stream, sequence, arrived)
    return Share(int(np.count_nonzero(late)), int(np.count_nonzero(known)))


def reordered_rows(stream: Integers, sequence: Integers, arrived: Times) -> tuple[Mask, Mask]:
    """Which rows were reordered, and of which that can be said."""
    order = arrival_order(stream, arrived)
    order = order[sequence[order] >= 0]
    late, known = np.zeros((2, len(stream)), np.bool_)
    late[order] = is_reordered(stream[order], sequence[order])
    known[order] = True
    return late, known
