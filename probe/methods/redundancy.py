"""RED as a sender makes it and a receiver takes it apart: each packet repeats those before it in its stream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import Batch, no_address
from probe.wire import red
from probe.wire.media import MAX_PACKET_BYTES, PT_RED
from probe.wire.rtp import HEADER_BYTES


class _History(NamedTuple):
    """Packets that may be repeated, by stream and in order of leaving."""

    stream: NDArray[np.int64]
    payload: NDArray[np.uint8]
    length: NDArray[np.int64]
    """0: nothing."""
    timestamp: NDArray[np.int64]


class RedSender:
    """Puts the payloads of the `depth` packets before it into each packet of `streams` streams.

    A block that RFC 2198 cannot express (longer than 1,023 bytes, older than its 14 bits can say), or that would
    make the packet longer than MAX_PACKET_BYTES, is left out, the oldest first, as libwebrtc does.
    """

    def __init__(self, streams: int, depth: int) -> None:
        self._depth = depth
        self._payload = np.zeros((streams, depth, 8), np.uint8)
        self._length = np.zeros((streams, depth), np.int64)
        self._timestamp = np.zeros((streams, depth), np.int64)

    def encode(self, batch: Batch, stream: NDArray[np.int64]) -> Batch:
        """The same packets, in their order, with redundancy; (n,) `stream` is 0 or more."""
        known = self._history(batch, stream)
        order = np.argsort(known.stream, kind="stable")
        # Where each packet of the batch stands among its stream's: before it are those it may repeat.
        at = np.empty(len(order), np.int64)
        at[order] = np.arange(len(order))
        at = at[len(order) - len(stream) :]
        timestamp = known.timestamp[len(order) - len(stream) :]
        levels = []
        room = MAX_PACKET_BYTES - batch.size - red.LAST_HEADER_BYTES
        for back in range(1, self._depth + 1):
            of = order[at - back]
            offset = timestamp - known.timestamp[of] & 0xFFFFFFFF
            length = known.length[of]
            fits = (length <= red.MAX_BLOCK_BYTES) & (offset <= red.MAX_OFFSET)
            fits &= length + red.BLOCK_HEADER_BYTES <= room
            length = np.where(fits, length, 0)
            room -= np.where(length > 0, length + red.BLOCK_HEADER_BYTES, 0)
            levels.append(red.Level(known.payload[of], length, offset))
        self._keep(known, order)
        data, size = red.encode(batch.data, batch.size, levels[::-1], PT_RED, int(batch.data[0, 1]) & 0x7F)
        return batch._replace(data=data, size=size)

    def _history(self, batch: Batch, stream: NDArray[np.int64]) -> _History:
        """What is remembered of the batch's streams, then the batch."""
        width = batch.data.shape[1] - HEADER_BYTES
        if width > self._payload.shape[2]:
            wider = np.zeros((*self._length.shape, width), np.uint8)
            wider[:, :, : self._payload.shape[2]] = self._payload
            self._payload = wider
        streams = np.unique(stream)
        before = len(streams) * self._depth
        payload = np.zeros((before + len(stream), self._payload.shape[2]), np.uint8)
        payload[:before] = self._payload[streams].reshape(before, -1)
        payload[before:, :width] = batch.data[:, HEADER_BYTES:]
        timestamp = np.ascontiguousarray(batch.data[:, 4:8]).view(">u4")[:, 0].astype(np.int64)
        return _History(
            np.concatenate([np.repeat(streams, self._depth), stream]),
            payload,
            np.concatenate([self._length[streams].reshape(-1), batch.size - HEADER_BYTES]),
            np.concatenate([self._timestamp[streams].reshape(-1), timestamp]),
        )

    def _keep(self, known: _History, order: NDArray[np.intp]) -> None:
        """Remember the last packets of each stream."""
        ordered = known.stream[order]
        ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) + 1
        last = order[ends[:, None] + np.arange(-self._depth, 0)]
        streams = ordered[ends - 1]
        self._payload[streams] = known.payload[last]
        self._length[streams], self._timestamp[streams] = known.length[last], known.timestamp[last]


class Unwrapped(NamedTuple):
    """RED packets taken apart: the packets they stand for, and copies of earlier ones. `broken` were neither."""

    primaries: Batch
    copies: Batch
    broken: int


def unwrap(batch: Batch) -> Unwrapped:
    """Take apart packets that should be RED; a copy arrived when the packet did that brought it."""
    if not len(batch.size):
        return Unwrapped(batch, batch, 0)
    found = red.decode(batch.data, batch.size)
    of_type = batch.data[found.good, 1] & 0x7F == PT_RED
    whole = batch if found.good.all() else batch.take(found.good)
    copies = Batch(
        found.block_data,
        found.block_size,
        batch.time_ns[found.row],
        no_address(len(found.row)),
        batch.kernel_stamped,
    )
    primaries = whole._replace(data=found.data, size=found.size)
    if not of_type.all():
        primaries = primaries.take(of_type)
        copies = copies.take(batch.data[found.row, 1] & 0x7F == PT_RED)
    return Unwrapped(primaries, copies, len(batch.size) - len(primaries.size))
