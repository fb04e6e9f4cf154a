"""One direction of a link: arrival times in, release times out.

The order of operations is netem's: duplication, loss and damage, then the delay line, the queue in front of
the serial line, and the slots. A packet's length is its UDP payload plus `Impairment.overhead_bytes`, which is
what netem counts. The delay line keeps packets in order unless told otherwise: each waits for the one before it
(netem's behaviour with any rate; without one netem reorders, which access links hardly do).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.impairment.conditions import Conditions, Start
from probe.impairment.counters import LinkCounters
from probe.impairment.course import Interruption
from probe.impairment.delay import DelayLine
from probe.impairment.draws import BLOCK, Seed, child
from probe.impairment.fates import Fates, Passes
from probe.impairment.line import DROPPED, Line
from probe.impairment.loss import Flags
from probe.impairment.passage import Passage, joined
from probe.impairment.profile import UDP_OVERHEAD_BYTES, Impairment
from probe.impairment.slots import SlotGate
from probe.metrics import Times

__all__ = ["DROPPED", "Link", "LinkCounters"]

_COURSE = 7  # child seed of what depends on the time alone; 0 to 6 are taken by nothing below a link


class Link:
    """A stateful, pure machine: the same impairment, seed and arrivals give the same releases.

    Fates and delays belong to a packet's number, so the result does not depend on how packets are cut
    into batches. `start` is the clock that a path's links share, `course` the seed of the outages, which
    can be shared as well: an interruption of the access is one in both directions.
    """

    def __init__(
        self, impairment: Impairment, seed: Seed, *, start: Start | None = None, course: Seed | None = None
    ) -> None:
        self.impairment = impairment
        self._seed, self._start = seed, start or Start()
        self._conditions = Conditions(impairment, child(seed, _COURSE) if course is None else course)
        self._line = Line(impairment, self._conditions.capacity, in_bits=self._conditions.in_bits)
        self._gate = SlotGate(impairment.slot, seed) if impairment.slot else None
        self._visit, self._interrupted = -1, False
        self._fates: Fates
        self._passes: Passes
        self._drawn = 0  # packets of the present block that have been used
        self._counts = dict.fromkeys(LinkCounters.__dataclass_fields__, 0)
        self.min_delay_ns = min(self._shortest(condition) for condition in self._conditions.impairments)
        """No packet is released sooner after its arrival."""
        self.likely_delay_ns = min(self._likely(condition) for condition in self._conditions.impairments)
        """Not more than one packet in a thousand is released sooner after its arrival."""
        if not self._conditions.change:
            self._enter(0)

    def push(self, arrival_ns: Times, size: NDArray[np.int64]) -> Passage:
        """What becomes of n packets of `size` bytes of UDP payload.

        Packets are taken in the order given, which is to be that of their arrival, across calls too.
        """
        if not self._conditions.change and len(arrival_ns) <= BLOCK - self._drawn:
            return self._push_drawn(arrival_ns, size)
        if not len(arrival_ns):
            return Passage(np.zeros(0, np.intp), arrival_ns, whole=True)
        if not self._conditions.change:
            return self._push_run(arrival_ns, size)
        start_ns = self._start.since(int(arrival_ns[0]))
        since = arrival_ns - start_ns
        visits = self._conditions.visits(since)
        edges = [0, *(np.flatnonzero(np.diff(visits)) + 1).tolist(), len(visits)]
        parts = []
        for begin, end in pairwise(edges):
            if visits[begin] != self._visit:
                self._enter(int(visits[begin]))
            parts.append((begin, self._push_run(since[begin:end], size[begin:end])))
        passage = joined(parts)
        return passage._replace(release_ns=passage.release_ns + start_ns)

    def earliest_release(self, arrival_ns: int) -> int:
        """A lower bound of the release of any packet that is yet to come and arrives at `arrival_ns` or later."""
        earliest = arrival_ns + self.min_delay_ns
        if self.impairment.overtaking:
            return earliest
        start_ns = (self._start.ns or 0) if self._conditions.change else 0
        in_line = self._line.earliest(earliest - start_ns)
        return start_ns + (self._gate.earliest(in_line) if self._gate else in_line)

    def mean_rates(self, edges_ns: Times) -> NDArray[np.float64]:
        """(n,) the bit/s that the line can carry on average between n + 1 moments since the start."""
        return self._conditions.mean_rates(edges_ns)

    def interruptions(self, until_ns: int) -> list[Interruption]:
        """The outages that have begun by a moment of the packets' clock; none before the first packet."""
        if self._start.ns is None:
            return []
        start_ns = self._start.ns
        return [
            Interruption(one.kind, start_ns + one.begin_ns, start_ns + one.end_ns)
            for one in self._conditions.interruptions(until_ns - start_ns)
        ]

    @property
    def counters(self) -> LinkCounters:
        """What was done to the packets pushed so far, whether or not their release time has come."""
        return LinkCounters(**self._counts)

    def _shortest(self, impairment: Impairment) -> int:
        """The least time from arrival to release under a condition."""
        if impairment.reorder is not None:
            return 0
        shortest = DelayLine(impairment, 0).lowest_ns
        if impairment.rate_bps and not self._conditions.in_bits:
            shortest += int(self._line.terms.service(np.zeros(1, np.int64))[0])
        return max(0, shortest)

    @staticmethod
    def _likely(impairment: Impairment) -> int:
        """What the delay line alone adds to nearly all packets under a condition."""
        return 0 if impairment.reorder is not None else max(0, DelayLine(impairment, 0).likely_ns)

    def _enter(self, visit: int) -> None:
        """Begin a condition: its draws are its own, and netem's chains start in their good state."""
        step = self._conditions.step(visit)
        impairment = step.impairment if step else self.impairment
        self._visit, self._interrupted = visit, step is not None and step.outage == "drop"
        self._fates = Fates(impairment, child(self._seed, visit) if step else self._seed)
        self._passes, self._drawn = self._fates.block(), 0
        if step:
            self._line.change(impairment)

    def _push_run(self, arrival_ns: Times, size: NDArray[np.int64]) -> Passage:
        """Push packets under one condition, a block of draws at a time."""
        parts, row = [], 0
        while row < len(arrival_ns):
            if self._drawn == BLOCK:
                self._passes, self._drawn = self._fates.block(), 0
            end = min(len(arrival_ns), row + BLOCK - self._drawn)
            parts.append((row, self._push_drawn(arrival_ns[row:end], size[row:end])))
            row = end
        return joined(parts)

    def _push_drawn(self, arrival_ns: Times, size: NDArray[np.int64]) -> Passage:
        """Push packets whose draws are all in the present block."""
        counts, packets = self._counts, len(arrival_ns)
        piece = self._piece(arrival_ns, size)
        counts["offered"] += packets
        counts["offered_bytes"] += int(size.sum())
        if self._interrupted or self._conditions.interrupts:
            piece = self._less(piece, ~self._cut(piece.arrival_ns), "outage")
        heads = None
        if not piece.single and len(piece.row) and self._line.terms.limit is not None:
            heads = np.concatenate([np.ones(1, np.bool_), piece.row[1:] != piece.row[:-1]])
        service = self._line.terms.service(piece.size)
        release = self._line.push(piece.arrival_ns, piece.delay_ns, service, piece.overtakes, heads)
        kept = release != DROPPED
        if not kept.all():
            piece, release = self._less(piece, kept, "overflowed"), release[kept]
        if self._gate is not None:
            release = self._slotted(release, piece)
        counts["delivered"] += len(piece.row)
        counts["delivered_bytes"] += int(piece.size.sum())
        whole = len(piece.row) == packets and piece.single
        if piece.overtakes is not None:
            counts["overtook"] += int(np.count_nonzero(piece.overtakes))
        if piece.bit is None or not (damaged := int(np.count_nonzero(piece.bit >= 0))):
            return Passage(piece.row, release, None, whole)
        counts["corrupted"] += damaged
        bit = np.where((piece.bit >= 0) & (piece.size > 0), piece.bit * (piece.size * 8) >> 32, -1)
        return Passage(piece.row, release, bit)

    def _piece(self, arrival_ns: Times, size: NDArray[np.int64]) -> _Piece:
        """What goes on of the next packets, by their number alone."""
        passes, first = self._passes, self._drawn
        self._drawn = last = first + len(arrival_ns)
        rows = slice(int(passes.start[first]), int(passes.start[last]))
        row = passes.packet[rows] - first
        lost, doubled = (int(count[last] - count[first]) for count in (passes.lost, passes.doubled))
        if lost or doubled:
            self._counts["lost"] += lost
            self._counts["duplicated"] += doubled
            arrival_ns, size = arrival_ns[row], size[row]
        overtakes = None if passes.overtakes is None else passes.overtakes[rows]
        bit = None if passes.bit is None else passes.bit[rows]
        return _Piece(row, arrival_ns, passes.delay_ns[rows], size, overtakes, bit, not doubled)

    def _less(self, piece: _Piece, kept: Flags, count: str) -> _Piece:
        self._counts[count] += int(np.count_nonzero(~kept))
        return piece.keep(kept)

    def _cut(self, arrival_ns: Times) -> Flags:
        """Which passes meet an outage that drops."""
        if self._interrupted:
            return np.ones(len(arrival_ns), np.bool_)
        return self._conditions.interrupted(arrival_ns)

    def _slotted(self, release: Times, piece: _Piece) -> Times:
        """Release times behind the slots, which packets that overtake do not wait for."""
        assert self._gate is not None
        length = piece.size + UDP_OVERHEAD_BYTES
        if piece.overtakes is None:
            return self._gate.push(release, length)
        waits = ~piece.overtakes
        release[waits] = self._gate.push(release[waits], length[waits])
        return release


class _Piece(NamedTuple):
    """Passes of one push on their way through."""

    row: NDArray[np.intp]
    arrival_ns: Times
    delay_ns: Times
    size: NDArray[np.int64]
    overtakes: Flags | None
    bit: NDArray[np.int64] | None
    single: bool
    """Whether no packet has two passes."""

    def keep(self, kept: Flags) -> _Piece:
        """Those kept."""
        if kept.all():
            return self
        return _Piece(
            self.row[kept],
            self.arrival_ns[kept],
            self.delay_ns[kept],
            self.size[kept],
            None if self.overtakes is None else self.overtakes[kept],
            None if self.bit is None else self.bit[kept],
            self.single,
        )
