"""One direction of a session as a path that further packets could have crossed.

Whether a packet that was never sent would have been lost is drawn: from the loss process fitted to the
direction (mean and burst length, Gilbert), one step on from the last packet that really left before it.
So a repair sent into a burst is lost with the burst. Its delay is that of the last packet that arrived.
What more packets would have done to the path itself (queues) is not foreseen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.analysis.delay import Floats
from probe.analysis.gilbert import fit_loss
from probe.analysis.one_way import Mask, OneWay
from probe.impairment.profile import Loss
from probe.metrics import NEVER, Times


@dataclass(frozen=True, slots=True)
class Crossing:
    """The packets of one direction, of all streams, in order of departure (ns of the sender's clock).

    `excess` is the delay above the smallest of the last arrival up to each packet.
    """

    departed: Times
    lost: Mask
    excess: Floats
    loss: Loss

    @property
    def memory(self) -> float:
        """How much of a packet's fate the next one shares: 1 - p - r of Gilbert's model, 0 of independence."""
        if self.loss.burst is None or self.loss.ratio >= 1:
            return 0.0
        leave = 1 / self.loss.burst
        return 1 - leave - self.loss.ratio * leave / (1 - self.loss.ratio)

    def chance_after(self, lost: Mask) -> Floats:
        """Probability that the packet after one of this fate is lost."""
        chance: Floats = self.loss.ratio + (lost.astype(np.float64) - self.loss.ratio) * self.memory
        return chance

    def last_before(self, time_ns: Floats) -> tuple[Mask, Floats]:
        """Fate of, and delay at, the last departure up to each time (ns of the sender's clock)."""
        at = np.maximum(np.searchsorted(self.departed, time_ns, "right") - 1, 0)
        return self.lost[at], self.excess[at]


def crossing(way: OneWay, population: Mask, lost: Mask) -> Crossing | None:
    """Of the packets in `population`; None where none arrived."""
    chosen = np.flatnonzero(population & (way.departed != NEVER))
    chosen = chosen[np.argsort(way.departed[chosen], kind="stable")]
    gone = lost[chosen]
    if gone.all():
        return None
    excess = np.where(gone, 0, way.excess[chosen]).astype(np.float64)
    last = np.maximum.accumulate(np.where(gone, -1, np.arange(len(chosen))))
    first = int(np.argmin(gone))
    filled = excess[np.where(last < 0, first, last)]
    return Crossing(way.departed[chosen], gone, filled, fit_loss(gone))
