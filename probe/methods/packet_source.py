"""The media packets of a session in the order in which they are due, made a block ahead.

What of a packet does not depend on when it leaves is written while the sender would wait anyway; at its
due time two fields and the check are left to fill, for one packet as for many.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import ALONE, FOREVER, Batch, empty_batch, no_address
from probe.methods.due_order import DueOrder
from probe.methods.packet_maker import PacketBlock, PacketMaker, Room
from probe.methods.schedule import Schedule, StreamSpec
from probe.metrics import Times

BLOCK = 512
"""Packets made at a time."""
CROWD = 8_000
"""So many streams have hundreds of packets due at a time: each is made when it leaves, and the kernel finds it in the
processor's cache."""
MAX_BATCH = 1024
"""Packets that leave with one call; only a loop that is late has so many due at a time."""


class PacketSource:
    """Hands out the media packets of `plan` from `start_ns` on. `passing`: those of a batch are of no use to anybody
    when the next are taken, so that many together may lie in the same memory again."""

    def __init__(
        self,
        spec: StreamSpec,
        plan: Schedule,
        *,
        ssrc_base: int,
        token: bytes,
        start_ns: int,
        passing: bool = False,
    ) -> None:
        self.place = 0
        """How many rows have had their turn."""
        self._streams = len(plan.offset_ns)
        self._maker = PacketMaker(plan, payload_type=spec.payload_type, ssrc_base=ssrc_base, token=token)
        self._order = DueOrder(plan, start_ns)
        self._ahead = not self._order.alone or self._streams < CROWD
        self._room = Room(MAX_BATCH, self._maker.width) if passing and not self._ahead else None
        self._start = self._end = 0
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._due_ns: Times = np.zeros(0, np.int64)
        self._due = self._due_ns.data  # plain numbers, to search and to compare
        self._block: PacketBlock | None = None

    @property
    def in_order(self) -> bool:
        """Whether rows leave in the order in which they stand: those of a batch are `place` and the next then."""
        return self._order.alone

    @property
    def exhausted(self) -> bool:
        """Whether every row has had its turn."""
        return self.place == self._order.total

    def unreached(self) -> NDArray[np.int64]:
        """Rows whose turn has not come."""
        return self._order.rows(self.place, self._order.total)[0]

    def highest(self) -> NDArray[np.int64]:
        """(streams,) the last packet of each stream whose turn has come; -1 for none."""
        return self._order.highest(self.place)

    def make(self, rows: NDArray[np.int64]) -> PacketBlock:
        """The packets of `rows`, which have not been told when they leave."""
        index = rows // self._streams
        return self._maker.make(index, rows - index * self._streams)

    def next_ns(self) -> int:
        """When the next packet is due, or FOREVER; the time to make it ready, if it is not."""
        if self.place == self._end:
            if self.exhausted:
                return FOREVER
            if not self._ahead:
                return self._order.due_ns(self.place)
            self._look_ahead(BLOCK)
        if self._block is None:  # memory of its own: a carrier may still hold the last one's
            self._block = self.make(self._rows)
        return self._due[self.place - self._start]

    def skip(self, before_ns: int) -> NDArray[np.int64]:
        """Give up what was due before `before_ns`; returns its rows."""
        if self.in_order:
            first, self.place = self.place, self._order.due_from(self.place, before_ns)
            if self.place > self._end:
                self._start = self._end = self.place
            return np.arange(first, self.place)
        skipped = []
        while not self.exhausted:
            if self.place == self._end:
                self._look_ahead(BLOCK)
            start = self.place - self._start
            end = bisect_left(self._due, before_ns)
            if end <= start:
                break
            skipped.append(self._rows[start:end])
            self.place = self._start + end
        return np.concatenate(skipped) if skipped else np.zeros(0, np.int64)

    def take(self, now_ns: int, until_ns: int, rtt_ns: int) -> Batch:
        """Packets due up to `until_ns`, MAX_BATCH at most, ready to leave at their due time but not before
        `now_ns`; their tags are their rows."""
        if self.next_ns() > until_ns:
            return empty_batch()
        if self.place == self._end:
            index, streams = self._order.alike(self.place, min(now_ns, until_ns), MAX_BATCH)
            if streams.start < streams.stop:
                return self._take_alike(index, streams, now_ns, rtt_ns)
            self._look_ahead(BLOCK)
            self._block = self.make(self._rows)
        start = self.place - self._start
        end = min(bisect_right(self._due, until_ns, start), start + MAX_BATCH)
        self.place = self._start + end
        block, taken = self._block, slice(start, end)
        assert block is not None
        if end - start == ALONE:
            leave_ns = max(self._due[start], now_ns)
            block.stamp_one(start, leave_ns, rtt_ns)
            leave = np.array([leave_ns])
        elif self._due[end - 1] <= now_ns:  # all leave now
            block.stamp(taken, now_ns, rtt_ns)
            leave = np.full(end - start, now_ns)
        else:
            leave = np.maximum(self._due_ns[taken], now_ns)
            block.stamp_each(taken, leave, rtt_ns)
        return Batch(
            block.data[taken], block.size[taken], leave, no_address(end - start), tag=self._rows[taken]
        )

    def _take_alike(self, index: int, streams: slice, now_ns: int, rtt_ns: int) -> Batch:
        """Packets of one index, made as they leave."""
        data, size, leave = self._maker.alike(index, streams, now_ns, rtt_ns, self._room)
        rows = np.arange(self.place, self.place + len(size))
        self.place = self._start = self._end = self.place + len(size)
        return Batch(data, size, leave, no_address(len(size)), tag=rows)

    def _look_ahead(self, count: int) -> None:
        self._start, self._end = self._end, min(self._end + count, self._order.total)
        self._rows, self._due_ns = self._order.rows(self._start, self._end)
        self._due = self._due_ns.data
        self._block = None
