"""Freezes: how long a listener heard and a viewer saw nothing new. The threshold is part of the name.

Vendors count different ones: Agora's audio freeze is a pause over 200 ms, its video freeze one over
600 ms on one page and over 500 ms on others; W3C's follows the frame rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.analysis.delay import Floats
from probe.analysis.one_way import Mask
from probe.metrics import Times

MS = 1_000_000
AUDIO_FREEZE_NS = 200 * MS
VIDEO_FREEZE_NS = 600 * MS
W3C_WINDOW = 30
W3C_LEAST = 5
W3C_INCREASE_NS = 150 * MS
PAUSE_NS = 5_000 * MS
"""A longer interval is a pause of the sender, not a freeze (W3C webrtc-stats pauseCount)."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Freezes, how long they lasted together, and of how much media."""

    count: int
    frozen_ns: int
    played_ns: int

    @property
    def ratio(self) -> float | None:
        return self.frozen_ns / self.played_ns if self.played_ns else None


def freezes(durations_ns: Times, threshold_ns: int) -> Freeze:
    """Of rendering durations, those strictly longer than the threshold."""
    frozen = durations_ns[durations_ns > threshold_ns]
    return Freeze(len(frozen), int(frozen.sum()), int(durations_ns.sum()))


def media_freezes(bad: Mask, unit_ns: int, threshold_ns: int) -> Freeze:
    """Of media units in order: a freeze is a longest run of unplayable ones over the threshold.

    Durations are media time, units times `unit_ns`, so that pacing noise decides nothing at the edge.
    """
    edges = np.flatnonzero(np.diff(bad.astype(np.int8), prepend=0, append=0))
    runs = (edges[1::2] - edges[::2]) * unit_ns
    frozen = runs[runs > threshold_ns]
    return Freeze(len(frozen), int(frozen.sum()), len(bad) * unit_ns)


def w3c_threshold(mean_ns: float | Floats) -> float | Floats | NDArray[np.float64]:
    """A frame interval that is a freeze at this mean interval: max(3 mean, mean + 150 ms)."""
    return np.maximum(3 * mean_ns, mean_ns + W3C_INCREASE_NS)


def w3c_freezes(rendered_ns: Times) -> Freeze:
    """W3C webrtc-stats freezeCount, of the times frames were rendered.

    The mean is over the up to 30 intervals before, of which there must be 5 as in libwebrtc (which has
    the judged interval itself in its mean, so that ours finds a few more). Pauses are left out.
    """
    intervals = np.diff(rendered_ns)
    intervals = intervals[intervals <= PAUSE_NS]
    # Few are long enough to be judged at all.
    judged = np.flatnonzero(intervals >= W3C_INCREASE_NS)
    judged = judged[judged >= W3C_LEAST]
    first = np.maximum(0, judged - W3C_WINDOW)
    total = np.zeros(len(intervals) + 1, np.int64)
    np.cumsum(intervals, out=total[1:])
    mean = (total[judged] - total[first]) / (judged - first)
    frozen = intervals[judged][intervals[judged] >= w3c_threshold(mean)]
    return Freeze(len(frozen), int(frozen.sum()), int(intervals.sum()))


def share_above(durations_ns: Times, delay_ns: Times, limit_ns: int) -> float | None:
    """Share of the time with a delay above a limit: Agora's network delay rate, with 400 ms."""
    whole = int(durations_ns.sum())
    return int(durations_ns[delay_ns > limit_ns].sum()) / whole if whole else None
