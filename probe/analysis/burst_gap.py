"""Bursts and gaps by their definition in RFC 3611 4.7.2, and the fields of its VoIP metrics block.

The RFC's printed example (84, 10, 520) contradicts its own field definitions, and the event counters of
its Appendix A.2 (`burst_gap_events`) depend on how they start; this follows the definition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.analysis.delay import Indices, Integers
from probe.analysis.one_way import Mask

G_MIN = 16
"""Packets received in a row that end a burst (RFC 3611 4.7.2, recommended; RFC 6958 uses the same)."""


@dataclass(frozen=True, slots=True)
class BurstGap:
    """Counts of packets. `bad` = lost or discarded as too late.

    A burst is a longest stretch that starts and ends with a bad packet and has fewer than `G_MIN` good
    ones in a row inside; a bad packet alone is isolated and part of a gap. The call is taken to be
    preceded and followed by good packets, so a burst at an end has no gap beside it.
    """

    packets: int
    bad: int
    first: Indices
    last: Indices
    isolated: int
    gaps: int

    @property
    def bursts(self) -> int:
        return len(self.first)

    @property
    def burst_packets(self) -> int:
        return int((self.last - self.first + 1).sum())

    @property
    def gap_packets(self) -> int:
        return self.packets - self.burst_packets

    @property
    def burst_density(self) -> float | None:
        """Share of bad packets within bursts; None without a burst."""
        return (self.bad - self.isolated) / self.burst_packets if self.bursts else None

    @property
    def gap_density(self) -> float | None:
        """Share of bad packets within gaps; None without a gap."""
        return self.isolated / self.gap_packets if self.gap_packets else None

    @property
    def mean_burst(self) -> float | None:
        """Packets a burst."""
        return self.burst_packets / self.bursts if self.bursts else None

    @property
    def mean_gap(self) -> float | None:
        """Packets a gap."""
        return self.gap_packets / self.gaps if self.gaps else None


def burst_gap(bad: Mask, g_min: int = G_MIN) -> BurstGap:
    """Divide a series of packets, in order of sequence number, into bursts and gaps."""
    positions = np.flatnonzero(bad)
    good_between = np.diff(positions) - 1
    starts = np.flatnonzero(np.r_[True, good_between >= g_min])[: len(positions)]
    sizes: Integers = np.diff(starts, append=len(positions))
    first, last = positions[starts], positions[starts + sizes - 1]
    bursts = sizes > 1
    first, last = first[bursts], last[bursts]
    between = np.r_[first, len(bad)] - np.r_[0, last + 1]
    return BurstGap(
        packets=len(bad),
        bad=len(positions),
        first=first,
        last=last,
        isolated=int(np.count_nonzero(~bursts)),
        gaps=int(np.count_nonzero(between > 0)),
    )


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """The loss and duration fields of an RTCP XR VoIP metrics report block (RFC 3611 4.7.1, 4.7.2).

    Rates and densities are 256ths as 8-bit numbers, durations are mean milliseconds as 16-bit ones.
    """

    loss_rate: int
    discard_rate: int
    burst_density: int
    gap_density: int
    burst_duration: int
    gap_duration: int


def voip_metrics(lost: Mask, discarded: Mask, interval_ns: int, g_min: int = G_MIN) -> VoipMetrics:
    """The block's fields. What there is none of (no burst, no gap) is 0 on the wire."""
    found = burst_gap(lost | discarded, g_min)
    return VoipMetrics(
        loss_rate=in_256ths(int(np.count_nonzero(lost)), len(lost)),
        discard_rate=in_256ths(int(np.count_nonzero(discarded)), len(lost)),
        burst_density=in_256ths(found.bad - found.isolated, found.burst_packets),
        gap_density=in_256ths(found.isolated, found.gap_packets),
        burst_duration=_milliseconds(found.mean_burst, interval_ns),
        gap_duration=_milliseconds(found.mean_gap, interval_ns),
    )


def in_256ths(part: int, whole: int) -> int:
    """`min(255, floor(256 part / whole))`, an 8-bit fraction; 0 of nothing."""
    return min(255, 256 * part // whole) if whole else 0


def _milliseconds(packets: float | None, interval_ns: int) -> int:
    return 0 if packets is None else min(65535, round(packets * interval_ns / 1e6))
