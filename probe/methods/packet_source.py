"""The media packets of a session in the order in which they are due, made a block ahead.

What of a packet does not depend on when it leaves is written while the sender would wait anyway; at its
due time two fields and the check are left to fill, for one packet as for many.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import ALONE, FOREVER, Batch, empty_batch, no_address
from probe.methods.schedule import Schedule, StreamSpec
from probe.metrics import Times
from probe.wire import media, rtp

BLOCK = 512
"""Packets made at a time."""
MAX_BATCH = 512
"""Packets that leave with one call; only a loop that is late has so many due at a time."""


class DueOrder:
    """Which row is due when, by its place in the order of leaving, without a list of all of them.

    Rows are in the order of methods.running.Running. Streams have the same schedule, spread over less than the distance of its due
    times: the order is by due time of the stream, then by stream, then by packet.
    """

    def __init__(self, plan: Schedule, start_ns: int) -> None:
        self._plan, self._start_ns = plan, start_ns
        self._streams = len(plan.offset_ns)
        self._by_offset = np.argsort(plan.offset_ns, kind="stable")
        self.total = self._streams * plan.packets
        new = np.flatnonzero(np.diff(plan.time_ns, prepend=-1))
        self._alone = len(new) == plan.packets  # no two packets of a stream are due together
        self._turn_offset = plan.offset_ns[self._by_offset]
        self._first = np.append(new, plan.packets)  # of the packets that are due together
        gaps = np.diff(plan.time_ns[new])
        if len(gaps) and np.ptp(plan.offset_ns) >= gaps.min():
            raise ValueError("streams are to be spread over less than the distance of their due times")

    def rows(self, start: int, end: int) -> tuple[NDArray[np.int64], Times]:
        """Rows and due times of the places `start` up to `end`."""
        place = np.arange(start, end)
        if self._alone:
            index, turn = np.divmod(place, self._streams)
            due = self._turn_offset[turn] + self._plan.time_ns[index]
            due += self._start_ns
            return index * self._streams + self._by_offset[turn], due
        group = np.searchsorted(self._first * self._streams, place, "right") - 1
        first = self._first[group]
        turn, within = np.divmod(place - first * self._streams, self._first[group + 1] - first)
        stream, index = self._by_offset[turn], first + within
        due = self._start_ns + self._plan.offset_ns[stream] + self._plan.time_ns[index]
        return index * self._streams + stream, due

    def highest(self, place: int) -> NDArray[np.int64]:
        """(streams,) the last packet of each stream whose turn has come before `place`; -1 for none."""
        group = int(np.searchsorted(self._first * self._streams, place, "right")) - 1
        if group == len(self._first) - 1:
            return np.full(self._streams, self._plan.packets - 1)
        first = int(self._first[group])
        each = int(self._first[group + 1]) - first
        highest = np.empty(self._streams, np.int64)
        begun = place - first * self._streams - np.arange(self._streams) * each
        highest[self._by_offset] = first - 1 + np.clip(begun, 0, each)
        return highest


class PacketSource:
    """Hands out the media packets of `plan` from `start_ns` on."""

    def __init__(
        self, spec: StreamSpec, plan: Schedule, *, ssrc_base: int, token: bytes, start_ns: int
    ) -> None:
        self._spec, self._plan, self._ssrc_base = spec, plan, ssrc_base
        # What packets of one index have in common, whatever their stream.
        self._template = np.zeros(media.WORDS, np.uint32)
        self._template[media.W_KIND], self._template[media.W_TOKEN] = (
            media.MEDIA_KIND,
            int.from_bytes(token[:4], "big"),
        )
        self._sum = np.add.reduce(self._template, dtype=np.uint32)
        second = plan.marker.astype(np.uint32) << 7 | spec.payload_type
        self._word = rtp.VERSION << 24 | second << 16 | np.arange(plan.packets, dtype=np.uint32) & 0xFFFF
        self._bytes = plan.size.astype(np.int64)
        self._width = (int(self._bytes.max(initial=0)) + 7) & ~7  # of all blocks: memory is used again
        self._order = DueOrder(plan, start_ns)
        self.place = 0
        """How many rows have had their turn."""
        self._start = self._end = 0
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._due_ns: Times = np.zeros(0, np.int64)
        self._due: list[int] = []
        self._data: NDArray[np.uint8] | None = None
        self._size: NDArray[np.int64] = np.zeros(0, np.int64)
        self._sums: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._times: NDArray[np.int64] = np.zeros((0, 2), np.int64)
        self._check: NDArray[np.uint32] = np.zeros(0, np.uint32)

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

    def next_ns(self) -> int:
        """When the next packet is due, or FOREVER; the time to make it ready, if it is not."""
        if self.place == self._end:
            if self.exhausted:
                return FOREVER
            self._look_ahead()
        if self._data is None:
            self._make()
        return self._due[self.place - self._start]

    def skip(self, before_ns: int) -> NDArray[np.int64]:
        """Give up what was due before `before_ns`; returns its rows."""
        skipped = []
        while not self.exhausted:
            if self.place == self._end:
                self._look_ahead()
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
        start = self.place - self._start
        end = min(bisect_right(self._due, until_ns, start), start + MAX_BATCH)
        self.place = self._start + end
        if end - start == ALONE:
            return self._take_one(start, max(self._due[start], now_ns), rtt_ns)
        # t1 and t2 lie side by side; the check is that of the rest of the packet and these.
        self._times[start:end, 1] = rtt_ns
        if self._due[end - 1] <= now_ns:  # all leave now
            self._times[start:end, 0] = now_ns
            halves = (now_ns >> 32) + now_ns + (rtt_ns >> 32) + rtt_ns & 0xFFFFFFFF
            self._check[start:end] = self._sums[start:end] + np.uint32(halves)
            return self._batch(start, end, np.full(end - start, now_ns))
        leave = np.maximum(self._due_ns[start:end], now_ns)
        self._times[start:end, 0] = leave
        sums = (leave >> 32) + (leave + (rtt_ns >> 32) + rtt_ns)
        self._check[start:end] = self._sums[start:end] + (sums & 0xFFFFFFFF).astype(np.uint32)
        return self._batch(start, end, leave)

    def _take_one(self, at: int, leave_ns: int, rtt_ns: int) -> Batch:
        self._times[at] = leave_ns, rtt_ns
        halves = (leave_ns >> 32) + leave_ns + (rtt_ns >> 32) + rtt_ns
        self._check[at] = (int(self._sums[at]) + halves) & 0xFFFFFFFF
        return self._batch(at, at + 1, np.array([leave_ns]))

    def _batch(self, start: int, end: int, leave: Times) -> Batch:
        assert self._data is not None
        data, size, rows = self._data[start:end], self._size[start:end], self._rows[start:end]
        return Batch(data, size, leave, no_address(end - start), tag=rows)

    def _look_ahead(self) -> None:
        self._start, self._end = self._end, min(self._end + BLOCK, self._order.total)
        self._rows, self._due_ns = self._order.rows(self._start, self._end)
        self._due = self._due_ns.tolist()
        self._data = None

    def _make(self) -> None:
        """Write the packets of the block, in memory of their own: a carrier may still hold the last one's."""
        words, self._size = self.words(self._rows)
        self._sums = words[:, media.W_INDEX] + self._sum
        self._data = np.zeros((len(words), self._width), np.uint8)
        media.word_view(self._data)[:] = words
        self._times = self._data[:, 28:44].view(">i8")
        self._check = self._data[:, 68:72].view(">u4")[:, 0]

    def words(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Header and payload of the packets of `rows` without t1, t2 and check, and their sizes."""
        index, stream = np.divmod(rows, len(self._plan.offset_ns))
        words = np.empty((media.WORDS, len(rows)), np.uint32).T
        words[:] = self._template
        words[:, media.W_START] = self._word[index]
        words[:, media.W_TIMESTAMP] = self._plan.timestamp[index]
        words[:, media.W_SSRC] = self._ssrc_base + stream
        words[:, media.W_INDEX] = index
        return words, self._bytes[index]
