"""Virtual playout: what a player with a fixed buffer would have had to conceal. No clock need agree.

A packet is playable with buffer B if some copy came within B of the smallest delay, counted from the
original's departure (after RFC 5481 7.1.2). Leave out the end of a stream that has repairs under way
(`Series.settled`), or its losses are overstated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from probe.analysis.one_way import Mask
from probe.analysis.population import Share
from probe.analysis.series import BEYOND, Series
from probe.metrics import Times

SECOND_NS = 1_000_000_000
BUFFERS_NS = tuple(1_000_000 * ms for ms in (60, 100, 150, 200, 400, 600, 1000))
SEVERE = 0.05
"""RFC 7294: a second is severely concealed if more than this of it was (default threshold)."""


def residual_curve(playable_after: Times, buffers_ns: Iterable[int] = BUFFERS_NS) -> dict[int, Share]:
    """Packets not playable, by buffer; `playable_after` is `Series.playable_after()`."""
    return {
        buffer: Share(int(np.count_nonzero(playable_after > buffer)), len(playable_after))
        for buffer in buffers_ns
    }


def required_buffer(playable_after: Times, residual: float) -> float | None:
    """Smallest buffer in ns with at most this share not playable; infinite if too many never came."""
    n = len(playable_after)
    if n == 0:
        return None
    may_miss = math.floor(residual * n * (1 + 1e-12))
    if may_miss >= n:
        return 0.0
    rank = n - may_miss - 1
    needed = int(np.partition(playable_after, rank)[rank])
    return math.inf if needed == BEYOND else float(needed)


@dataclass(frozen=True, slots=True)
class ConcealedSeconds:
    """Seconds of media, those with any concealment, and those severely concealed (RFC 7294)."""

    seconds: int
    concealed: int
    severely: int


def concealed_seconds(series: Series, bad: Mask) -> ConcealedSeconds:
    """Count over seconds from the first packet. Severe is more than 50 ms of media, also of a last
    second that is not whole."""
    if len(bad) == 0:
        return ConcealedSeconds(0, 0, 0)
    second = (series.departed() - series.sent_ns[0]) // SECOND_NS
    missed = np.bincount(second[bad]) * series.interval_ns
    return ConcealedSeconds(
        seconds=int(second[-1]) + 1,
        concealed=int(np.count_nonzero(missed)),
        severely=int(np.count_nonzero(missed > round(SEVERE * SECOND_NS))),
    )


def media_units(series: Series, bad: Mask) -> tuple[Times, Mask]:
    """`(start, bad)` of each media unit; a frame is bad if any of its packets is."""
    if series.unit is None:
        return series.sent_ns, bad
    unit, sent = series.unit, series.sent_ns
    if (unit[1:] < unit[:-1]).any():  # frames that overtook each other
        order = np.argsort(unit, kind="stable")
        unit, sent, bad = unit[order], sent[order], bad[order]
    starts = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
    return sent[starts], np.logical_or.reduceat(bad, starts)
