"""One direction of a link: arrival times in, release times out.

The order of operations is netem's: loss, then the delay line, then the queue in front of the serial
line. A packet's length is its UDP payload plus `Impairment.overhead_bytes`, which is what netem counts.
The delay line keeps packets in order unless told otherwise: each waits for the one before it (netem's
behaviour with any rate; without one netem reorders, which access links hardly do). The queue holds
packets that wait for the line; one that would wait longer than `queue_ns` is dropped when it gets there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.impairment.delay import DelayLine
from probe.impairment.draws import BLOCK, Seed
from probe.impairment.loss import loss_model
from probe.impairment.profile import Impairment
from probe.metrics import NEVER, Times

DROPPED = NEVER
"""Release time of a packet that is not released."""

SHORT_BATCH = 8  # up to here a loop over Python integers costs less than the array operations

_LONG_AGO = -(2**62)
_ENDLESS = 2**62
_BIT_NS = 8_000_000_000  # bits a byte times nanoseconds a second


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """What a link did so far; offered = lost + overflowed + delivered. Bytes are UDP payload."""

    offered: int = 0
    lost: int = 0
    overflowed: int = 0
    delivered: int = 0
    offered_bytes: int = 0
    delivered_bytes: int = 0


class Link:
    """A stateful, pure machine: the same impairment, seed and arrivals give the same releases.

    Fates and delays belong to a packet's number, so the result does not depend on how packets are cut
    into batches.
    """

    def __init__(self, impairment: Impairment, seed: Seed) -> None:
        self.impairment = impairment
        self._loss = loss_model(impairment.loss, seed)
        self._delay = DelayLine(impairment, seed)
        self._lost, self._delays = self._loss.block(), self._delay.block()
        self._drawn = 0  # packets of the present block that have been used
        self._last_ready = _LONG_AGO  # when the latest packet left the (ordered) delay line
        self._line_free = _LONG_AGO  # when the line has sent what it accepted
        self._queue_ns = _ENDLESS if impairment.queue_ns is None else impairment.queue_ns
        self._offered = self._lost_count = self._overflowed = 0
        self._offered_bytes = self._delivered_bytes = 0
        shortest = impairment.overhead_bytes * _BIT_NS // impairment.rate_bps if impairment.rate_bps else 0
        self.min_delay_ns = self._delay.min_ns + shortest
        """No packet is released sooner after its arrival."""

    def push(self, arrival_ns: Times, size: NDArray[np.int64]) -> Times:
        """(n,) release times of n packets of `size` bytes of UDP payload, or DROPPED.

        Packets are taken in the order given, which is to be that of their arrival, across calls too.
        """
        count = len(arrival_ns)
        if count <= BLOCK - self._drawn:
            return self._push_drawn(arrival_ns, size)
        release = np.empty(count, np.int64)
        start = 0
        while start < count:
            if self._drawn == BLOCK:
                self._lost, self._delays, self._drawn = self._loss.block(), self._delay.block(), 0
            end = min(count, start + BLOCK - self._drawn)
            release[start:end] = self._push_drawn(arrival_ns[start:end], size[start:end])
            start = end
        return release

    def earliest_release(self, arrival_ns: int) -> int:
        """A lower bound of the release of any packet that is yet to come and arrives at `arrival_ns` or later."""
        earliest = arrival_ns + self.min_delay_ns
        if not self.impairment.ordered:
            return earliest
        return max(earliest, self._last_ready, self._line_free)

    @property
    def counters(self) -> LinkCounters:
        """What was done to the packets pushed so far, whether or not their release time has come."""
        return LinkCounters(
            offered=self._offered,
            lost=self._lost_count,
            overflowed=self._overflowed,
            delivered=self._offered - self._lost_count - self._overflowed,
            offered_bytes=self._offered_bytes,
            delivered_bytes=self._delivered_bytes,
        )

    def _push_drawn(self, arrival_ns: Times, size: NDArray[np.int64]) -> Times:
        """Push packets whose draws are all in the present block."""
        rows = slice(self._drawn, self._drawn + len(arrival_ns))
        self._drawn = rows.stop
        self._offered += len(arrival_ns)
        lost, delay = self._lost[rows], self._delays[rows]
        if len(arrival_ns) <= SHORT_BATCH:
            return self._push_short(arrival_ns.tolist(), size.tolist(), lost.tolist(), delay.tolist())
        self._offered_bytes += int(size.sum())
        self._lost_count += int(np.count_nonzero(lost))
        kept = ~lost
        ready, size = (arrival_ns + delay)[kept], size[kept]
        if self.impairment.ordered and len(ready):
            np.maximum.accumulate(ready, out=ready)
            np.maximum(ready, self._last_ready, out=ready)
            self._last_ready = int(ready[-1])
        sent = self._serialise(ready, size) if self.impairment.rate_bps else ready
        self._delivered_bytes += int(size[sent != DROPPED].sum())
        release = np.full(len(arrival_ns), DROPPED)
        release[kept] = sent
        return release

    def _serialise(self, ready: Times, size: NDArray[np.int64]) -> Times:
        """When packets that reach the queue at `ready` (in order) have left the line."""
        service = (size + self.impairment.overhead_bytes) * _BIT_NS // (self.impairment.rate_bps or 1)
        # sent_i = max(ready_i, sent_(i-1)) + service_i, without a loop, as long as nothing is dropped.
        total = np.cumsum(service)
        begin = np.maximum.accumulate(ready - (total - service))
        sent: Times = np.maximum(begin, self._line_free) + total
        if len(sent) and int((sent - service - ready).max()) > self._queue_ns:
            # A dropped packet makes room for later ones: what follows depends on each decision before it.
            return np.array(self._serialise_each(ready.tolist(), service.tolist()), np.int64)
        if len(sent):
            self._line_free = int(sent[-1])
        return sent

    def _serialise_each(self, ready: list[int], service: list[int]) -> list[int]:
        free, queue_ns = self._line_free, self._queue_ns
        sent = []
        for arrival, duration in zip(ready, service, strict=True):
            if free - arrival > queue_ns:
                sent.append(DROPPED)
                continue
            free = max(free, arrival) + duration
            sent.append(free)
        self._line_free = free
        self._overflowed += sent.count(DROPPED)
        return sent

    def _push_short(
        self, arrival_ns: list[int], size: list[int], lost: list[bool], delay: list[int]
    ) -> Times:
        """`_push_drawn` for a few packets: the same integers, a packet at a time."""
        rate_bps, overhead = self.impairment.rate_bps, self.impairment.overhead_bytes
        release = []
        for arrival, payload, gone, wait in zip(arrival_ns, size, lost, delay, strict=True):
            self._offered_bytes += payload
            if gone:
                self._lost_count += 1
                release.append(DROPPED)
                continue
            ready = arrival + wait
            if self.impairment.ordered:
                ready = self._last_ready = max(ready, self._last_ready)
            if rate_bps:
                service = (payload + overhead) * _BIT_NS // rate_bps
                ready = self._serialise_each([ready], [service])[0]
            if ready != DROPPED:
                self._delivered_bytes += payload
            release.append(ready)
        return np.array(release, np.int64)
