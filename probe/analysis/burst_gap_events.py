"""The event counters of RFC 3611 Appendix A.2: a two-state Markov estimate, for comparing with endpoints.

It does not count the last burst, its start is not specified and it divides by zero without a burst; our
own values are `burst_gap`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.analysis.burst_gap import G_MIN
from probe.analysis.one_way import Mask


@dataclass(frozen=True, slots=True)
class EventCounters:
    """Transitions between 1 gap good, 2 burst good, 3 burst bad and 4 gap bad (names as in A.2)."""

    c11: int
    c13: int
    c14: int
    c22: int
    c23: int
    c33: int

    @property
    def total(self) -> int:
        """`ctotal`: every transition, with c31 = c13 and c32 = c23."""
        return self.c11 + self.c14 + 2 * self.c13 + self.c22 + 2 * self.c23 + self.c33

    @property
    def burst_density(self) -> float:
        """p23 / (p23 + p32); 0 where no burst bad was followed by a good packet of the burst."""
        leaving = self.c13 + self.c23 + self.c33
        p32 = self.c23 / leaving if leaving else 0.0
        p23 = 1 - self.c22 / (self.c22 + self.c23) if self.c22 + self.c23 else 1.0
        return p23 / (p23 + p32) if p23 + p32 else 0.0

    @property
    def gap_density(self) -> float | None:
        """c14 / (c11 + c14); None without a gap."""
        return self.c14 / (self.c11 + self.c14) if self.c11 + self.c14 else None

    @property
    def mean_gap(self) -> float | None:
        """Packets a gap; None without a finished burst."""
        return (self.c11 + self.c14 + self.c13) / self.c13 if self.c13 else None

    @property
    def mean_burst(self) -> float | None:
        """Packets a burst; None without a finished burst."""
        return None if self.mean_gap is None else self.total / self.c13 - self.mean_gap


def event_counters(bad: Mask, g_min: int = G_MIN, initial_lost: int = 1) -> EventCounters:
    """Count the events of a whole series, starting with `initial_lost` bad in the burst and pkt = 0."""
    positions = np.flatnonzero(bad)
    if len(positions) == 0:
        return EventCounters(0, 0, 0, 0, 0, 0)
    good = np.diff(positions, prepend=-1) - 1  # received since the bad packet before
    opens = good >= g_min
    # A burst ends where the next bad packet opens another; the first continues what was there before.
    group = np.cumsum(opens)
    sizes = np.bincount(group)
    sizes[0] += initial_lost
    ended = sizes[: int(group[-1])]
    inside = good[~opens]
    return EventCounters(
        c11=int(good[opens].sum()),
        c13=int(np.count_nonzero(ended != 1)),
        c14=int(np.count_nonzero(ended == 1)),
        c22=int((inside[inside > 0] - 1).sum()),
        c23=int(np.count_nonzero(inside > 0)),
        c33=int(np.count_nonzero(inside == 0)),
    )
