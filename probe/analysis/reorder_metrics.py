"""Reordered packets in every dimension of RFC 4737: how many, how far, how late, and how often.

A packet is reordered if one with a larger number arrived before it (RFC 4737 3.3). Duplicates are left
out beforehand, lost packets count in no dimension. Arrivals are numbered from 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from probe.analysis.delay import Indices, Integers
from probe.analysis.population import Share
from probe.analysis.reorder_bytes import bytes_ahead
from probe.analysis.series import Series
from probe.metrics import Times


@dataclass(frozen=True, slots=True)
class Reordering:
    """`arrivals` of the reordered packets, and an entry for each, in order of arrival.

    `extent` is how many arrivals back the earliest packet with a larger number came (RFC 4737 4.2) and
    `late_ns` how long ago (4.3); `byte_offset` is what is to be buffered to restore the order: the bytes
    of all earlier arrivals with larger numbers (4.4), None where sizes are not known; `n_reordering` the
    number of arrivals directly before it that all have larger numbers (5.3): of 3 or more, TCP takes the
    packet for lost.
    """

    received: int
    arrivals: Indices
    extent: Integers
    late_ns: Times
    byte_offset: Integers | None
    n_reordering: Integers
    discontinuities: Indices
    discontinuity_sizes: Integers

    @property
    def ratio(self) -> Share:
        """Reordered of the received (RFC 4737 4.1)."""
        return Share(len(self.arrivals), self.received)

    def degree(self, n: int) -> Share:
        """Packets that are n-reordered (RFC 4737 5.3)."""
        return Share(int(np.count_nonzero(self.n_reordering >= n)), self.received)

    @property
    def reordering_discontinuities(self) -> Indices:
        """Arrivals that some reordered packet should have preceded first (RFC 4737 4.5)."""
        preceded = np.zeros(self.received, np.bool_)
        preceded[self.arrivals - self.extent] = True
        return np.flatnonzero(preceded)

    @property
    def gaps(self) -> Integers:
        """Arrivals from each reordering discontinuity to the next (RFC 4737 4.5)."""
        return np.diff(self.reordering_discontinuities)

    @property
    def free_runs(self) -> Integers:
        """Packets in order before each reordered one (RFC 4737 4.6); the run at the end is not over."""
        return np.diff(self.arrivals, prepend=-1) - 1


def reordering_of(series: Series) -> Reordering:
    """All of RFC 4737 of one stream."""
    order = series.order
    sizes = None if series.size is None else series.size[order]
    return _reordering(series.seq[order], lambda arrivals: series.received_ns[order[arrivals]], sizes)


def reorder_metrics(seq: Integers, received_ns: Times, size: Integers | None = None) -> Reordering:
    """All of RFC 4737, of unique arrivals in order of arrival."""
    return _reordering(seq, lambda arrivals: received_ns[arrivals], size)


def _reordering(seq: Integers, time_of: Callable[[Indices], Times], size: Integers | None) -> Reordering:
    """`time_of` says when arrivals came: few times are asked for."""
    late, earliest, discontinuities, sizes = _compared_with_highest(seq)
    extent = late - earliest
    return Reordering(
        received=len(seq),
        arrivals=late,
        extent=extent,
        late_ns=time_of(late) - time_of(earliest),
        byte_offset=None if size is None else bytes_ahead(seq, size, late, extent),
        n_reordering=late - 1 - _last_smaller(seq, late),
        discontinuities=discontinuities,
        discontinuity_sizes=sizes,
    )


def _compared_with_highest(seq: Integers) -> tuple[Indices, Indices, Indices, Integers]:
    """The reordered arrivals and for each the earliest with a larger number; those that jump over numbers that
    have not come (RFC 4737 3.4), also where they never will, and over how many."""
    highest = np.maximum.accumulate(seq)
    late = np.flatnonzero(seq < highest)
    earliest = np.searchsorted(highest, seq[late], "right")
    jump = np.diff(highest)
    jumps = np.flatnonzero(jump > 1)
    return late, earliest, jumps + 1, jump[jumps] - 1


def _last_smaller(seq: Integers, late: Indices) -> Indices:
    """For each of `late` the arrival before it whose number is the nearest that is smaller, or -1.

    A packet points at the one before; as long as that has a larger number it points on to where that
    one points, which skips only larger ones. In-order packets are where pointers end or pass through.
    """
    before = np.arange(-1, len(seq) - 1)
    active = late
    while len(active):
        at = before[active]
        active = active[(at >= 0) & (seq[at] > seq[active])]
        before[active] = before[before[active]]
    found: Indices = before[late]
    return found
