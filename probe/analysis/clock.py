"""The rate of the node's clock against ours, from the packets themselves; no synchronisation needed.

Delay is bounded from below by the path and disturbed upwards only, so the clock's drift is the line
*under* all points (send time, apparent delay): the linear program of Moon, Skelly and Towsley
(INFOCOM 1999), whose solution is the edge of the lower convex hull below the mean send time. A
regression through the middle would follow the queues instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.analysis.pieces import pieces
from probe.metrics import NEVER, Times
from probe.records import Json

MAX_SKEW = 500e-6
"""A crystal is within 100 ppm and a slewing NTP within 500; a larger slope is a trend of the path."""

MAX_BRIDGES = 100
"""A search takes about log2(points) steps; more are rounding going in circles."""


@dataclass(frozen=True, slots=True)
class Line:
    """`slope * t + intercept`, in the units of the points."""

    slope: float
    intercept: float


def line_under(t: NDArray[np.float64], y: NDArray[np.float64]) -> Line | None:
    """The highest line at the mean of `t` that no point is below; None without two distinct `t`.

    A bridge over the mean: a point on either side of it, replaced by the point farthest below their
    line until there is none.
    """
    if len(t) < 2 or t.min() == t.max():
        return None
    middle = t.mean()
    low, high = (_lowest_above(t, y, 0.0, side)[0] for side in (t <= middle, t > middle))
    for _ in range(MAX_BRIDGES):
        slope = float((y[high] - y[low]) / (t[high] - t[low]))
        lowest, intercept = _lowest_above(t, y, slope)
        if lowest in (low, high):
            break
        low, high = (lowest, high) if t[lowest] <= middle else (low, lowest)
    return Line(slope, intercept)


def _lowest_above(
    t: NDArray[np.float64], y: NDArray[np.float64], slope: float, among: NDArray[np.bool_] | None = None
) -> tuple[int, float]:
    """Which point is the lowest above (or the farthest below) a line of this slope through 0, and by how much."""
    lowest, least = 0, np.inf
    for piece in pieces(len(t)):
        above = y[piece] - slope * t[piece]
        if among is not None:
            above[~among[piece]] = np.inf
        at = int(above.argmin())
        if above[at] < least:
            lowest, least = piece.start + at, float(above[at])
    return lowest, least


@dataclass(frozen=True, slots=True)
class NodeClock:
    """What was found about the node's clock. Slopes are fractions (1e-6 = 1 ppm); None = unknown.

    `skew` is how much faster the node's clock runs than ours; 0 when nothing is to be corrected.
    """

    skew: float = 0.0
    up_slope: float | None = None
    down_slope: float | None = None

    @property
    def trend(self) -> bool:
        """Whether a direction's slope is more than a clock's, and was left in the values."""
        return any(slope is not None and abs(slope) > MAX_SKEW for slope in (self.up_slope, self.down_slope))

    def to_json(self) -> Json:
        slopes = {"up_slope_ppm": self.up_slope, "down_slope_ppm": self.down_slope}
        document: Json = {name: None if slope is None else 1e6 * slope for name, slope in slopes.items()}
        return document | {"skew_ppm": 1e6 * self.skew, "path_trend": self.trend}


def node_clock(sent: Times, node_received: Times, node_sent: Times, received: Times) -> NodeClock:
    """Estimate the skew from the four times of each packet (`NEVER` where undefined).

    A node clock that runs fast tilts the apparent delay up in one direction and down in the other, so
    the skew is half the difference of the slopes; a trend of both directions cancels. A slope beyond
    `MAX_SKEW` is no clock's, and only the other direction then counts.
    """
    up = _slope(sent, node_received, sent)
    down = _slope(node_sent, received, received)
    rates = [rate for rate in (up, None if down is None else -down) if rate is not None]
    credible = [rate for rate in rates if abs(rate) <= MAX_SKEW]
    return NodeClock(sum(credible) / len(credible) if credible else 0.0, up, down)


def _slope(departed: Times, arrived: Times, ours: Times) -> float | None:
    """Slope of the line under (our time, apparent delay), over packets with both times."""
    known = (departed != NEVER) & (arrived != NEVER)
    if np.count_nonzero(known) < 2:
        return None
    delay, ours = arrived[known] - departed[known], ours[known]
    # Minima go first: hours of clock offset must not cost digits.
    line = line_under((ours - ours.min()).astype(np.float64), (delay - delay.min()).astype(np.float64))
    return None if line is None else line.slope


def at_our_rate(node_times: Times, skew: float, origin: int) -> Times:
    """Node times, counted from `origin` (a node time), in seconds of our length; `NEVER` stays.

    The result keeps an unknown constant offset, which every per-direction value cancels.
    """
    elapsed = node_times - origin
    shrunk = np.rint(elapsed * (skew / (1 + skew))).astype(np.int64) if skew else 0
    return np.where(node_times == NEVER, NEVER, elapsed - shrunk)
