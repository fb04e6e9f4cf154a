"""Media packets as far as they are known before they leave: all but two times and the check.

Six words of a packet differ from those of others: two by its index, one by its stream, and each has a constant or
another such word beside it. So a packet is three pairs of words, looked up and stored as they stand there.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probe.methods.batch import ALONE
from probe.methods.schedule import Schedule
from probe.metrics import Times
from probe.wire import media, rtp

_TIMES_AT, _CHECK_AT = media.W_T1 * 4, media.W_CHECK * 4
_TIMES, _CHECK = struct.Struct(">qq"), struct.Struct(">I")
_LOWER = 0xFFFFFFFF
_WHOSE = 1  # the pair of W_SSRC


class PacketMaker:
    """Makes the packets of `plan`."""

    def __init__(self, plan: Schedule, *, payload_type: int, ssrc_base: int, token: bytes) -> None:
        index, stream = np.arange(plan.packets), np.arange(len(plan.offset_ns))
        second = plan.marker.astype(np.int64) << 7 | payload_type
        prefix = int.from_bytes(token[:4], "big")
        # In the order of words: W_START and W_TIMESTAMP, W_SSRC and W_KIND, W_INDEX and W_TOKEN.
        self._head = _pairs(rtp.VERSION << 24 | second << 16 | index & 0xFFFF, plan.timestamp)
        self._whose = _pairs(ssrc_base + stream, media.MEDIA_KIND)
        self._which = _pairs(index, prefix)
        self._bytes = plan.size.astype(np.int64)
        self._sum = media.MEDIA_KIND + prefix
        self.width = (int(self._bytes.max(initial=0)) + 7) & ~7
        """Bytes between two packets: the same for all, so that memory is used again."""
        self._model = self.make(index[:ALONE], stream[:ALONE])
        self._model_known = _known(self._model.data)
        self._model_index, self._model_size = -1, self._bytes[:0]

    def make(self, index: NDArray[np.int64], stream: NDArray[np.int64]) -> PacketBlock:
        """A packet of each of these streams, in memory of its own."""
        pairs = np.zeros((len(index), self.width // 8), np.uint64)
        pairs[:, 0], pairs[:, 1], pairs[:, 2] = self._head[index], self._whose[stream], self._which[index]
        return PacketBlock(pairs, self._bytes[index], index + self._sum)

    def alike(
        self, index: int, streams: slice, leave_ns: int, rtt_ns: int, room: Room | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], Times]:
        """Packets `index` of these streams that leave together: one of them in as many copies, and in each its own
        stream; in a `room` of this maker's width, or in memory of their own."""
        model, count = self._model, streams.stop - streams.start
        if index != self._model_index:
            self._model_index, self._model_size = index, np.full(len(self._whose), self._bytes[index])
            model.pairs[0, 0], model.pairs[0, 2] = self._head[index], self._which[index]
            model.sums[0] = index + self._sum
        model.stamp_one(0, leave_ns, rtt_ns)
        room = room or Room(count, self.width)
        room.known[:count] = self._model_known
        room.whose[:count] = self._whose[streams]
        room.leave_ns[:count] = leave_ns
        return room.data[:count], self._model_size[:count], room.leave_ns[:count]


class Room:
    """Memory of packets that leave together: `most` of `width` bytes, zeros but for what the copies of one packet
    (`known`, all but the payload's zeros) and its stream (`whose`) write there."""

    def __init__(self, most: int, width: int) -> None:
        pairs = np.zeros((most, width // 8), np.uint64)
        self.data: NDArray[np.uint8] = pairs.view(np.uint8)
        self.known, self.whose = _known(self.data), pairs[:, _WHOSE]
        self.leave_ns = np.zeros(most, np.int64)


class PacketBlock:
    """Packets made ahead, of which some at a time are told when they leave."""

    def __init__(self, pairs: NDArray[np.uint64], size: NDArray[np.int64], sums: NDArray[np.int64]) -> None:
        """`sums` are those of each packet's words so far."""
        data: NDArray[np.uint8] = pairs.view(np.uint8)
        self.data, self.size = data, size
        self.pairs, self.sums = pairs, sums
        self._times = data[:, _TIMES_AT : _TIMES_AT + _TIMES.size]
        self._both = self._times.view(f"V{_TIMES.size}")[:, 0]
        self._check = data[:, _CHECK_AT : _CHECK_AT + _CHECK.size].view(">u4")[:, 0]
        self._bytes, self._width, self._sum = data.reshape(-1).data, data.shape[1], sums.data

    def stamp_one(self, row: int, leave_ns: int, rtt_ns: int) -> None:
        """`row` leaves at `leave_ns`."""
        at = row * self._width
        _TIMES.pack_into(self._bytes, at + _TIMES_AT, leave_ns, rtt_ns)
        total = self._sum[row] + _halves(leave_ns) + _halves(rtt_ns)
        _CHECK.pack_into(self._bytes, at + _CHECK_AT, total & _LOWER)

    def stamp(self, rows: slice, leave_ns: int, rtt_ns: int) -> None:
        """All of `rows` leave at `leave_ns`."""
        self._both[rows] = np.void(_TIMES.pack(leave_ns, rtt_ns))
        self._check[rows] = self.sums[rows] + (_halves(leave_ns) + _halves(rtt_ns))

    def stamp_each(self, rows: slice, leave_ns: Times, rtt_ns: int) -> None:
        """Each of `rows` leaves at a time of its own."""
        times = self._times[rows].view(">i8")
        times[:, 0], times[:, 1] = leave_ns, rtt_ns
        self._check[rows] = self.sums[rows] + (leave_ns >> 32) + (leave_ns & _LOWER) + _halves(rtt_ns)


def _halves(time_ns: int) -> int:
    """What it adds to a packet's check, which is a sum modulo 2^32."""
    return (time_ns >> 32) + (time_ns & _LOWER)


def _known(data: NDArray[np.uint8]) -> NDArray[np.void]:
    """(n,) header and payload of each packet, in one piece."""
    known: NDArray[np.void] = data[:, : media.MIN_PACKET_BYTES].view(f"V{media.MIN_PACKET_BYTES}")[:, 0]
    return known


def _pairs(first: ArrayLike, second: ArrayLike) -> NDArray[np.uint64]:
    """Two words each, as they lie side by side in a packet."""
    words = np.stack(np.broadcast_arrays(first, second), axis=-1).astype(">u4")
    pairs: NDArray[np.uint64] = words.view(np.uint64)[:, 0]
    return pairs
