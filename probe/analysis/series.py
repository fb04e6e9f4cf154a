"""The packets of one direction of one stream, as every media metric takes them.

A row is a packet that was sent, by sequence number, with its first copy only: duplicates are counted
beside and hide no loss. Metrics of loss count in rows, so that a number that was never sent is a hole and
not a loss. Where the series come from - packets of a capture, a table, a session - makes no difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from probe.analysis.clock import MAX_SKEW, Line, line_under
from probe.analysis.delay import Indices, Integers, arrival_order
from probe.analysis.one_way import Mask
from probe.analysis.pieces import into_floats
from probe.metrics import NEVER, T_MAX_NS, Times

BEYOND = int(np.iinfo(np.int64).max)
"""Excess of a packet that never arrived: later than any deadline (RFC 7679: undefined is infinite)."""

MAX_HOLES = 1_000_000
"""A trace may leave out this many numbers, or ten times its rows; more is a broken sequence number."""


@dataclass(frozen=True, slots=True)
class Series:
    """`received_ns` is `NEVER` for the lost; the two clocks may differ by any offset.

    `order` are the rows that arrived, in order of arrival. `interval_ns` is the media time of a packet,
    `unit_ns` that of a media unit: where `unit` gives rows of one frame the same number (its time), a
    frame of several packets, else a packet. `least_ns` is the delay everything is counted from, None
    without arrivals. `repaired_ns` is the first arrival of a repair copy.
    """

    seq: Integers
    sent_ns: Times
    received_ns: Times
    order: Indices
    interval_ns: int
    unit_ns: int
    least_ns: int | None
    size: Integers | None = None
    unit: Integers | None = None
    repaired_ns: Times | None = None
    duplicates: int = 0

    @property
    def lost(self) -> Mask:
        """Not arrived within T_max (RFC 7680)."""
        lost: Mask = self.received_ns == NEVER
        return lost

    def departed(self) -> Times:
        """Times of sending that never go back, for windows: a capture's media times may (B-frames)."""
        return np.maximum.accumulate(self.sent_ns)

    @property
    def end_ns(self) -> int:
        """When the last packet's media ends."""
        return int(self.sent_ns[-1]) + self.interval_ns

    def excess(self) -> Times:
        """Delay above the smallest (RFC 5481 4.2 PDV), `BEYOND` for the lost."""
        return self._above(self.received_ns)

    def playable_after(self) -> Times:
        """Excess of the best copy, the original or a repair; always from the original's departure."""
        original = self.excess()
        return original if self.repaired_ns is None else np.minimum(original, self._above(self.repaired_ns))

    def bad(self, deadline_ns: int) -> Mask:
        """Not playable with a buffer of `deadline_ns` above the smallest delay: lost, or late."""
        return self.playable_after() > deadline_ns

    def _above(self, arrived: Times) -> Times:
        above = arrived - self.sent_ns
        above -= self.least_ns or 0
        above[arrived == NEVER] = BEYOND
        return above

    def rows(self, first: int, last: int) -> Series:
        """The rows from `first` to before `last`, still counted from the same smallest delay."""
        order = self.order[(self.order >= first) & (self.order < last)] - first
        cut = slice(first, last)
        return replace(
            self,
            seq=self.seq[cut],
            sent_ns=self.sent_ns[cut],
            received_ns=self.received_ns[cut],
            order=order,
            size=None if self.size is None else self.size[cut],
            unit=None if self.unit is None else self.unit[cut],
            repaired_ns=None if self.repaired_ns is None else self.repaired_ns[cut],
        )

    def settled(self, warm_up_ns: int = 0, tail_ns: int = T_MAX_NS) -> Series:
        """Without the beginning, and without the end whose repairs were still under way."""
        first, last = np.searchsorted(
            self.departed(), (self.sent_ns[0] + warm_up_ns, self.end_ns - tail_ns), "left"
        )
        return self.rows(int(first), max(int(first), int(last)))


def make_series(
    seq: Integers,
    sent_ns: Times,
    received_ns: Times,
    *,
    interval_ns: int | None = None,
    unit_ns: int | None = None,
    size: Integers | None = None,
    unit: Integers | None = None,
    repaired_ns: Times | None = None,
    least_ns: int | None = None,
    duplicates: int = 0,
) -> Series:
    """From rows that are already one a packet, by sequence number, whose lost ones are `NEVER`.

    Without `interval_ns` packets are taken to be equally long. ValueError without a row.
    """
    if len(seq) == 0:
        raise ValueError("a series needs at least one packet: there is none")
    order = arrival_order(one_stream(len(seq)), received_ns)
    if least_ns is None and len(order):
        least_ns = least_delay(sent_ns, received_ns)
    packet_ns = interval_ns or mean_interval(seq, sent_ns)
    return Series(
        seq,
        sent_ns,
        received_ns,
        order,
        interval_ns=packet_ns,
        unit_ns=unit_ns or (packet_ns if unit is None else _unit_interval(unit, sent_ns)),
        least_ns=least_ns,
        size=size,
        unit=unit,
        repaired_ns=repaired_ns,
        duplicates=duplicates,
    )


def least_delay(sent_ns: Times, received_ns: Times) -> int:
    """Of the packets that arrived, of which there is one."""
    return int((received_ns - sent_ns).min(where=received_ns != NEVER, initial=BEYOND))


def mean_interval(seq: Integers, sent_ns: Times) -> int:
    """Time per number from the first to the last; 0 of one packet."""
    numbers = int(seq[-1]) - int(seq[0])
    return round((int(sent_ns[-1]) - int(sent_ns[0])) / numbers) if numbers else 0


def _unit_interval(unit: Integers, sent_ns: Times) -> int:
    starts = sent_ns[np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])]
    return int(np.median(np.diff(starts))) if len(starts) > 1 else 0


def one_stream(count: int) -> NDArray[np.int64]:
    """The stream numbers of rows that are all of one stream, without their memory."""
    return np.broadcast_to(np.int64(0), count)


def without_skew(series: Series) -> Series:
    """The receiver's clock brought to the sender's rate: by the line under all delays (Moon et al. 1999).

    A slope that is no clock's (`clock.MAX_SKEW`) is a trend of the path and stays.
    """
    line = delay_line(series)
    if line is None or abs(line.slope) > MAX_SKEW:
        return series
    drift = np.rint((series.sent_ns - series.sent_ns[0]) * line.slope).astype(np.int64)
    received = np.where(series.received_ns == NEVER, NEVER, series.received_ns - drift)
    repaired = series.repaired_ns
    if repaired is not None:
        repaired = np.where(repaired == NEVER, NEVER, repaired - drift)
    least = least_delay(series.sent_ns, received)
    return replace(series, received_ns=received, repaired_ns=repaired, least_ns=least)


def delay_line(series: Series) -> Line | None:
    """The line under all delays, by time of sending, in ns from the first packet and above the smallest delay."""
    arrived = series.received_ns != NEVER
    sent, delay = series.sent_ns[arrived], series.received_ns[arrived]
    delay -= sent
    sent -= series.sent_ns[0]
    delay -= delay.min(initial=BEYOND)
    return line_under(into_floats(sent), into_floats(delay))
