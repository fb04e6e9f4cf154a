"""The queue and the serial line behind the delay line.

Times in, times out; in between everything is work (`probe.impairment.capacity`). A packet's work begins when
it has come out of the delay line and the packet before it is done; without a rate packets are no work, and
the line only keeps them in order. Two bounds drop packets: `queue`, the work that may wait for the line, and
netem's `limit`, the number of packets inside, the delay line included.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from probe.impairment.capacity import UNITS, Capacity, Constant
from probe.impairment.loss import Flags
from probe.impairment.profile import Impairment
from probe.metrics import NEVER, Times

DROPPED = NEVER
"""Release time of a packet that is not released."""

LONG_AGO = -(2**62)
_ENDLESS = 2**62
_BIT_NS = 8_000_000_000  # bits a byte times nanoseconds a second


@dataclass(frozen=True, slots=True)
class Terms:
    """What the present condition asks of packets, in work."""

    rate_bps: int | None
    overhead_bytes: int
    cell_bytes: int
    cell_overhead_bytes: int
    queue: int
    limit: int | None
    in_bits: bool

    @classmethod
    def of(cls, impairment: Impairment, *, in_bits: bool) -> Terms:
        """`in_bits`: work is counted in bits, as the speed changes over time; else in nanoseconds."""
        queue_ns, queue = impairment.queue_ns, _ENDLESS
        rate = impairment.rate_bps or (impairment.delivery.rate_bps if impairment.delivery else None)
        if queue_ns is not None:
            queue = int(queue_ns * UNITS / 1e9 * rate) if in_bits and rate else queue_ns
        return cls(
            impairment.rate_bps,
            impairment.overhead_bytes,
            impairment.cell_bytes,
            impairment.cell_overhead_bytes,
            queue,
            impairment.limit_packets,
            in_bits,
        )

    def service(self, size: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the work of packets of `size` bytes of UDP payload."""
        length = size + self.overhead_bytes
        if self.cell_bytes:
            length = -(-length // self.cell_bytes) * (self.cell_bytes + self.cell_overhead_bytes)
        if self.in_bits:
            return length * (8 * UNITS)
        if self.rate_bps is None:
            return np.zeros_like(length)
        return length * _BIT_NS // self.rate_bps


class Line:
    """A stateful, pure machine over work; it does not depend on how packets are cut into batches."""

    def __init__(
        self, impairment: Impairment, capacity: Capacity | None = None, *, in_bits: bool = False
    ) -> None:
        self._ordered = impairment.ordered
        self._capacity = capacity or Constant()
        self._plain = capacity is None
        # A queue in milliseconds is one of its own behind the delay line; what comes out of that is never
        # ahead of its arrival. netem's single queue subtracts a negative delay from the time on the line.
        self._negative = self._plain and impairment.queue_ns is None
        self.terms = Terms.of(impairment, in_bits=in_bits)
        self._ready = LONG_AGO  # the latest packet's way out of the delay line
        self._free = LONG_AGO  # when the line is done with what it accepted
        self._inside: list[int] = []  # when those that are inside leave, as a heap; kept with a limit only

    def change(self, impairment: Impairment) -> None:
        """Another condition; what is inside stays as it is."""
        self.terms = Terms.of(impairment, in_bits=self.terms.in_bits)

    def push(
        self,
        arrival_ns: Times,
        delay_ns: Times,
        service: NDArray[np.int64],
        overtakes: Flags | None = None,
        first: Flags | None = None,
    ) -> Times:
        """(m,) release times of passes, or DROPPED.

        `first` tells the first pass of each packet: a packet's passes find the limit reached together.
        """
        ready_ns = arrival_ns + delay_ns
        if not self._negative:
            np.maximum(ready_ns, arrival_ns, out=ready_ns)
        if self._plain:
            arrival, ready = arrival_ns, ready_ns
        else:
            arrival, ready = self._capacity.work(arrival_ns), self._capacity.work(ready_ns)
            service = np.maximum(service, 1)  # no work at all would be done within an interruption
        done = None
        if overtakes is None and len(ready) > 3:
            done = self._at_once(arrival, ready, service)
        if done is None:
            done = self._one_by_one(arrival, ready, service, overtakes, first)
        dropped = done == DROPPED
        if self._plain:
            return np.where(dropped, DROPPED, np.maximum(done, arrival_ns))
        release = np.maximum(self._capacity.time(np.where(dropped, 0, done)), ready_ns)
        if overtakes is not None:
            release = np.where(overtakes, arrival_ns, release)
        return np.where(dropped, DROPPED, release)

    def earliest(self, arrival_ns: int) -> int:
        """A lower bound of the release of packets yet to come that do not overtake."""
        if not self._ordered or max(self._free, self._ready) == LONG_AGO:
            return arrival_ns
        if self._plain:
            return max(arrival_ns, self._free)
        return max(arrival_ns, int(self._capacity.time(np.array([self._free]))[0]))

    def _at_once(self, arrival: Times, ready: Times, service: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """The work's ends without a loop; None, and nothing changed, where packets feed back on others."""
        if not self._ordered:
            done = ready
        else:
            # done_i = max(ready_i, done_(i-1)) + service_i, without a loop, as long as nothing is dropped.
            total = np.cumsum(service)
            begin = np.maximum.accumulate(ready - (total - service))
            done = np.maximum(begin, self._free) + total
            before = np.concatenate([np.array([self._free]), done[:-1]])
            if self._negative and ((ready < before) & (before <= arrival)).any():
                return None  # the line is idle, and netem lets the draw reach into the past
            if self.terms.queue != _ENDLESS:
                due = np.maximum(np.maximum.accumulate(ready), self._ready)
                if int((before - due).max()) > self.terms.queue:
                    return None  # a dropped packet makes room for later ones
        if self.terms.limit is not None and not self._within(arrival, done, self.terms.limit):
            return None
        if self._ordered:
            self._free, self._ready = int(done[-1]), max(self._ready, int(ready.max()))
        return done

    def _within(self, arrival: Times, done: Times, limit: int) -> bool:
        """Whether no packet finds `limit` others inside; if so they are inside now."""
        everyone = np.concatenate([np.array(self._inside, np.int64), np.maximum(done, arrival)])
        entered = len(self._inside) + np.arange(len(done))
        # A negative draw leaves at once, and not before it came: of those that came at the same moment, it is none
        # of the earlier ones that it has made room for.
        at_once = np.cumsum(done <= arrival)
        yet_to_come = at_once[np.searchsorted(arrival, arrival, "right") - 1] - at_once + (done <= arrival)
        left = np.searchsorted(np.sort(everyone), arrival, "right") - yet_to_come
        if int((entered - left).max()) >= limit:
            return False
        self._inside = everyone[everyone > arrival[-1]].tolist()
        heapify(self._inside)
        return True

    def _one_by_one(
        self,
        arrival: Times,
        ready: Times,
        service: NDArray[np.int64],
        overtakes: Flags | None,
        first: Flags | None,
    ) -> NDArray[np.int64]:
        """The work's ends where each decision depends on the one before."""
        skips = [False] * len(arrival) if overtakes is None else overtakes.tolist()
        heads = [True] * len(arrival) if first is None else first.tolist()
        ordered, queue, limit, inside = self._ordered, self.terms.queue, self.terms.limit, self._inside
        free, latest, full = self._free, self._ready, False
        done = []
        for now, due, work, skip, head in zip(
            arrival.tolist(), ready.tolist(), service.tolist(), skips, heads, strict=True
        ):
            if limit is not None and head:
                while inside and inside[0] <= now:
                    heappop(inside)
                full = len(inside) >= limit
            if full:
                done.append(DROPPED)
                continue
            if skip:
                done.append(now)
                continue
            if not ordered:
                end = due
            else:
                latest = max(latest, due)
                if free - latest > queue:
                    done.append(DROPPED)
                    continue
                # Only a packet still inside is waited for.
                end = free = (max(due, free) if free > now else due) + work
            done.append(end)
            if limit is not None:
                heappush(inside, end)
        self._free, self._ready = free, latest
        return np.array(done, np.int64)
