"""The worst loss and jitter in any window of a length: the rules of Microsoft Teams' network table.

A window is half open and starts at a packet; only windows within the series count, or all of it where it
is shorter. A window of few packets cannot tell a small ratio: at 50 packets/s one loss in 200 ms is 10 %
already, so `LossWindow.coarse` says when to look at a longer one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from probe.analysis.delay import Floats
from probe.analysis.one_way import Mask
from probe.analysis.pieces import pieces
from probe.analysis.series import Series
from probe.metrics import Times

MS = 1_000_000
LOSS_WINDOWS_NS = (200 * MS, 1_000 * MS, 15_000 * MS)
JITTER_WINDOW_NS = 15_000 * MS
RESOLVING = 20
"""Packets a window needs for a loss ratio to be read: 200 ms at 100 packets/s."""


@dataclass(frozen=True, slots=True)
class LossWindow:
    """The window with the largest loss ratio, the first of equals."""

    window_ns: int
    start_ns: int
    lost: int
    packets: int

    @property
    def ratio(self) -> float:
        return self.lost / self.packets

    @property
    def coarse(self) -> bool:
        """Whether the window has too few packets for its ratio to mean much."""
        return self.packets < RESOLVING


def worst_loss(series: Series, bad: Mask, window_ns: int) -> LossWindow:
    """Of the packets `bad` (lost, or unplayable), by time of sending."""
    departed = series.departed()
    at = np.flatnonzero(bad)
    if series.end_ns - int(departed[0]) <= window_ns:
        return LossWindow(window_ns, int(departed[0]), len(at), len(bad))
    # A window loses nothing by starting later, at its first bad packet, as far as the series' end allows;
    # the last one ends with the last packet.
    starts = at[departed[at] <= series.end_ns - window_ns]
    ends = np.searchsorted(departed, departed[starts] + window_ns, "left")
    starts = np.r_[starts, np.searchsorted(departed, departed[-1] - window_ns, "right")]
    ends = np.r_[ends, len(bad)]
    lost = np.asarray(np.searchsorted(at, ends, "left") - np.searchsorted(at, starts, "left"))
    packets = ends - starts
    worst = int(np.argmax(lost / packets))
    return LossWindow(window_ns, int(departed[starts[worst]]), int(lost[worst]), int(packets[worst]))


def share_of_windows(series: Series, bad: Mask, window_ns: int, ratio: float) -> float | None:
    """Share of the windows one after the other with at least this share of packets bad."""
    number = (series.departed() - series.sent_ns[0]) // window_ns
    packets = np.bincount(number)
    lost = np.bincount(number[bad], minlength=len(packets))
    filled = packets > 0
    return float(np.mean(lost[filled] >= ratio * packets[filled])) if filled.any() else None


def worst_jitter(arrived_ns: Times, levels: Floats, window_ns: int = JITTER_WINDOW_NS) -> float | None:
    """Largest mean of RFC 3550 J, in ns, over the arrivals of any window; None of fewer than two.

    `arrived_ns` and `levels` are in order of arrival; `levels[i]` belongs to arrival i + 1.
    """
    if len(levels) == 0:
        return None
    at = arrived_ns[1:]
    last_start = int(at[-1]) - window_ns
    total = np.zeros(len(levels) + 1)
    np.cumsum(levels, out=total[1:])
    worst = -math.inf
    for starts in pieces(int(np.searchsorted(at, last_start, "right")) or 1):
        ends = np.searchsorted(at, at[starts] + window_ns, "left")
        means = (total[ends] - total[starts]) / (ends - np.arange(starts.start, starts.stop))
        worst = max(worst, float(means.max()))
    return worst
