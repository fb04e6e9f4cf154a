"""A series in a few slices of time: how many were lost and late in each, and how slow the rest was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.analysis.one_way import Mask
from probe.analysis.series import BEYOND, Series

MOST = 60
LEAST_PACKETS = 5
"""Slices are no finer than this many packets."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Packets sent within `start_ns` (from the first one) and before the next slice.

    `median_ns` is the middle delay above the smallest, of those that arrived; None if none did.
    """

    start_ns: int
    packets: int
    lost: int
    bad: int
    median_ns: int | None


def over_time(series: Series, bad: Mask, most: int = MOST) -> tuple[Slice, ...]:
    """At most so many slices of one length, by time of sending."""
    count = max(1, min(most, len(bad) // LEAST_PACKETS))
    departed = series.departed()
    length = max(1, -(-(series.end_ns - int(departed[0])) // count))
    edges = departed[0] + length * np.arange(count + 1)
    rows = np.searchsorted(departed, edges, "left")
    rows[-1] = len(departed)
    lost, excess = series.lost, series.excess()
    found = []
    for number, (first, last) in enumerate(zip(rows[:-1].tolist(), rows[1:].tolist(), strict=True)):
        inside = excess[first:last]
        arrived = inside[inside != BEYOND]
        found.append(
            Slice(
                start_ns=length * number,
                packets=last - first,
                lost=int(np.count_nonzero(lost[first:last])),
                bad=int(np.count_nonzero(bad[first:last])),
                median_ns=int(np.partition(arrived, len(arrived) // 2)[len(arrived) // 2])
                if len(arrived)
                else None,
            )
        )
    return tuple(found)
