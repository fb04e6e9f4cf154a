"""XOR parity as a sender makes it and a receiver uses it (RFC 8627 6), for all streams of a session at once.

The packets of a stream are laid out in blocks of `k` rows of `interleave` columns; the packets of a column are
XORed into one repair packet, which leaves right behind the column's last. So one lost packet of each k can be
rebuilt, and of a block any run of `interleave` losses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.methods.arrays import first_occurrences, occurrences, take_numbers
from probe.methods.batch import Batch, empty_batch, no_address
from probe.metrics import NEVER
from probe.wire import flexfec, media

Numbers = NDArray[np.int64]
Words = NDArray[np.uint64]

MOST_PACKETS = 48
"""Protected by one repair packet: as many as libwebrtc's encoder takes, and bits enough in a word."""
REACH = 256
"""A receiver keeps what it heard of the last packets of a stream, so many at least."""
_ONE, _NONE = np.uint64(1), np.uint64(0)


class Layout(NamedTuple):
    """Each repair packet protects `k` packets, every `interleave`-th of the stream."""

    k: int
    interleave: int

    @property
    def block(self) -> int:
        """Packets of a block."""
        return self.k * self.interleave

    @property
    def span(self) -> int:
        """Sequence numbers from the first to the last packet of a column."""
        return (self.k - 1) * self.interleave + 1

    def places(self, sequence: Numbers) -> tuple[Numbers, Numbers, Words]:
        """Block, column, and place in the column of each packet."""
        block, within = np.divmod(sequence, self.block)
        position, column = np.divmod(within, self.interleave)
        return block, column, position.astype(np.uint64)


def _widened(string: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    if string.shape[1] >= width:
        return string
    wider = np.zeros((len(string), width), np.uint8)
    wider[:, : string.shape[1]] = string
    return wider


class _Columns(NamedTuple):
    """What of a batch belongs to one column of one block, by column and then by block."""

    line: Numbers
    """Stream and column."""
    block: Numbers
    string: NDArray[np.uint8]
    members: Words
    longest: Numbers
    last: NDArray[np.intp]
    """The batch's last row in it."""


class ParitySender:
    """Makes repair packets for `streams` streams whose SSRCs are `media_ssrc ..`."""

    def __init__(self, streams: int, layout: Layout, media_ssrc: int) -> None:
        self._layout, self._media_ssrc = layout, media_ssrc
        lines = streams * layout.interleave
        self._block = np.full(lines, -1, np.int64)
        self._string = np.zeros((lines, flexfec.STRING_HEAD_BYTES), np.uint8)
        self._members = np.zeros(lines, np.uint64)
        self._longest = np.zeros(lines, np.int64)
        self._sequence = np.zeros(streams, np.int64)

    def repairs(self, batch: Batch, stream: Numbers, sequence: Numbers) -> Batch:
        """Take packets in the order of leaving (`sequence` counts on over wraps); the repair packets of those
        columns that are now whole leave with their last packet."""
        columns = self._fold(batch, stream, sequence)
        line = columns.line
        open_still = np.flatnonzero(self._block[line] == columns.block)
        of = line[open_still]
        columns.string[open_still] ^= self._string[of]
        columns.members[open_still] |= self._members[of]
        columns.longest[open_still] = np.maximum(columns.longest[open_still], self._longest[of])
        whole = columns.members >> np.uint64(self._layout.k - 1) != _NONE
        # A column whose last packet never left stays without a repair packet: of several blocks one goes on.
        final = np.append(line[1:] != line[:-1], True)
        self._block[line[final]] = np.where(whole[final], -1, columns.block[final])
        self._string[line[final]], self._members[line[final]] = columns.string[final], columns.members[final]
        self._longest[line[final]] = columns.longest[final]
        return self._packets(batch, columns, np.flatnonzero(whole)) if whole.any() else empty_batch()

    def _fold(self, batch: Batch, stream: Numbers, sequence: Numbers) -> _Columns:
        block, column, position = self._layout.places(sequence)
        line = stream * self._layout.interleave + column
        order = np.lexsort((block, line))
        line, block = line[order], block[order]
        start = np.flatnonzero(np.r_[True, (line[1:] != line[:-1]) | (block[1:] != block[:-1])])
        strings = flexfec.strings(batch.data, batch.size)
        self._string = _widened(self._string, strings.shape[1])
        return _Columns(
            line[start],
            block[start],
            _widened(np.bitwise_xor.reduceat(strings[order], start, axis=0), self._string.shape[1]),
            np.bitwise_or.reduceat(_ONE << position[order], start),
            np.maximum.reduceat(batch.size[order], start),
            order[np.append(start[1:], len(order)) - 1],
        )

    def _packets(self, batch: Batch, columns: _Columns, whole: NDArray[np.intp]) -> Batch:
        whole = whole[np.argsort(columns.last[whole], kind="stable")]
        line, last = columns.line[whole], columns.last[whole]
        stream, column = np.divmod(line, self._layout.interleave)
        members = columns.members[whole, None] >> np.arange(self._layout.k, dtype=np.uint64) & _ONE != _NONE
        first = members.argmax(axis=1)
        mask = np.zeros((len(whole), flexfec.MAX_SPAN), np.bool_)
        which, position = np.nonzero(members)
        mask[which, (position - first[which]) * self._layout.interleave] = True
        sequence = take_numbers(self._sequence, stream, occurrences(stream))
        ssrc = (self._media_ssrc + stream).astype(np.uint32)
        data, size = flexfec.encode(
            columns.string[whole],
            columns.longest[whole],
            payload_type=media.PT_FEC,
            span=self._layout.span,
            sequence=sequence & 0xFFFF,
            timestamp=batch.data[last, 4:8],
            ssrc=ssrc | np.uint32(media.FEC_SSRC),
            protected=ssrc,
            base=columns.block[whole] * self._layout.block + first * self._layout.interleave + column
            & 0xFFFF,
            mask=mask,
        )
        return Batch(data, size, batch.time_ns[last], batch.address[last])


class ParityReceiver:
    """Rebuilds packets of `streams` streams whose SSRCs are `media_ssrc ..`.

    Whatever arrives is XORed into its column at once: when all of a column but one has arrived, and its repair
    packet, what is left is the missing packet. It has arrived when the last of those did. A batch is taken as a
    whole: a packet that arrives in it after what would have rebuilt it is not rebuilt.
    """

    def __init__(self, streams: int, layout: Layout, media_ssrc: int) -> None:
        self._layout, self._media_ssrc = layout, media_ssrc
        self._blocks = -(-REACH // layout.block) + 2
        self._slots = self._blocks * layout.interleave
        """Of a stream."""
        self._step = (self._blocks - 2) * layout.block // 2
        slots = streams * self._slots
        self._highest = np.zeros(streams, np.int64)
        self._block = np.full(slots, -1, np.int64)
        self._string = np.zeros((slots, flexfec.STRING_HEAD_BYTES), np.uint8)
        self._got = np.zeros(slots, np.uint64)
        self._wanted = np.zeros(slots, np.uint64)
        self._latest_ns = np.full(slots, NEVER)

    def take(self, batch: Batch, stream: Numbers, repair: NDArray[np.bool_]) -> Batch:
        """Take media and repair packets (where `repair`) in the order of arrival; what they rebuild, as it was sent.

        Of a repair packet `stream` is that of what it protects.
        """
        step = self._step if np.bincount(stream).max(initial=0) > self._step else len(stream)
        rebuilt = [
            self._take(batch.take(rows), stream[rows], repair[rows])
            for rows in (slice(at, at + step) for at in range(0, len(stream), step))
        ]
        rebuilt = [part for part in rebuilt if len(part.size)]
        return _stacked(rebuilt) if rebuilt else empty_batch()

    def _take(self, batch: Batch, stream: Numbers, repair: NDArray[np.bool_]) -> Batch:
        touched = []
        if not repair.all():
            touched.append(self._take_media(batch.take(~repair), stream[~repair]))
        if repair.any():
            touched.append(self._take_repairs(batch.take(repair), stream[repair]))
        return self._rebuilt(np.unique(np.concatenate(touched)), batch.kernel_stamped)

    def _extended(self, stream: Numbers, sequence: Numbers) -> Numbers:
        """Sequence numbers counted on over their wraps, the nearest to the highest so far."""
        highest = self._highest[stream]
        extended = highest + ((sequence - highest + 0x8000 & 0xFFFF) - 0x8000)
        np.maximum.at(self._highest, stream, extended)
        return extended

    def _claim(self, stream: Numbers, block: Numbers, column: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
        """The slot of each packet, and whether it is still, or from now on, that of the packet's block."""
        slot = stream * self._slots + block % self._blocks * self._layout.interleave + column
        touched = np.unique(slot)
        before = self._block[touched]
        np.maximum.at(self._block, slot, block)
        new = touched[self._block[touched] != before]
        self._string[new], self._got[new], self._wanted[new] = 0, 0, 0
        self._latest_ns[new] = NEVER
        return slot, self._block[slot] == block

    def _add(self, slot: Numbers, string: NDArray[np.uint8], time_ns: Numbers) -> None:
        """XOR these into their slots."""
        self._string = _widened(self._string, string.shape[1])
        order = np.argsort(slot, kind="stable")
        slot = slot[order]
        start = np.flatnonzero(np.append(True, slot[1:] != slot[:-1]))
        self._string[slot[start], : string.shape[1]] ^= np.bitwise_xor.reduceat(string[order], start, axis=0)
        latest = np.maximum.reduceat(time_ns[order], start)
        self._latest_ns[slot[start]] = np.maximum(self._latest_ns[slot[start]], latest)

    def _take_media(self, batch: Batch, stream: Numbers) -> Numbers:
        sequence = np.ascontiguousarray(batch.data[:, 2:4]).view(">u2")[:, 0].astype(np.int64)
        block, column, position = self._layout.places(np.maximum(self._extended(stream, sequence), 0))
        slot, current = self._claim(stream, block, column)
        bit = _ONE << position
        # Neither a packet twice, nor one that was rebuilt already.
        current &= self._got[slot] & bit == _NONE
        current[current] &= first_occurrences(slot[current] * 64 + position[current].astype(np.int64))
        slot = slot[current]
        if len(slot):
            np.bitwise_or.at(self._got, slot, bit[current])
            self._add(slot, flexfec.strings(batch.data[current], batch.size[current]), batch.time_ns[current])
        return slot

    def _take_repairs(self, batch: Batch, stream: Numbers) -> Numbers:
        found = flexfec.parse(batch.data, batch.size)
        base = self._extended(stream, found.base.astype(np.int64))
        block, column, position = self._layout.places(np.maximum(base, 0))
        # Bits of the mask that are no packets of the column: not our peer's.
        mask = found.mask[:, :: self._layout.interleave][:, : self._layout.k]
        good = found.good & (base >= 0) & (mask.sum(axis=1) == found.mask.sum(axis=1))
        slot, current = self._claim(stream[good], block[good], column[good])
        members = np.zeros(len(stream), np.uint64)
        for place in range(mask.shape[1]):
            members |= mask[:, place].astype(np.uint64) << (position + np.uint64(place))
        members = members[good]
        current &= (
            (self._wanted[slot] == _NONE)
            & (members != _NONE)
            & (members >> np.uint64(self._layout.k) == _NONE)
        )
        current[current] &= first_occurrences(slot[current])
        slot = slot[current]
        if len(slot):
            self._wanted[slot] = members[current]
            self._add(slot, found.string[good][current], batch.time_ns[good][current])
        return slot

    def _rebuilt(self, slot: Numbers, kernel_stamped: bool) -> Batch:
        missing = self._wanted[slot] & ~self._got[slot]
        one = (missing != _NONE) & (missing & missing - _ONE == _NONE)
        if not one.any():
            return empty_batch()
        slot, missing = slot[one], missing[one]
        self._got[slot] |= missing
        position = np.log2(missing.astype(np.float64)).astype(np.int64)
        stream, within = np.divmod(slot, self._slots)
        column = within % self._layout.interleave
        sequence = self._block[slot] * self._layout.block + position * self._layout.interleave + column
        ssrc = (self._media_ssrc + stream).astype(np.uint32)
        data, size = flexfec.rebuild(self._string[slot], sequence & 0xFFFF, ssrc)
        sound = (size >= media.MIN_PACKET_BYTES) & ~_beyond(data, size)
        rebuilt = Batch(data, size, self._latest_ns[slot], no_address(len(slot)), kernel_stamped)
        return rebuilt.take(sound).in_order()


def _beyond(data: NDArray[np.uint8], size: Numbers) -> NDArray[np.bool_]:
    """Whether anything but zeros stands behind a packet's end."""
    behind = np.arange(data.shape[1]) >= size[:, None]
    behind &= data != 0
    return np.asarray(behind.any(axis=1))


def _stacked(parts: list[Batch]) -> Batch:
    """Batches one behind the other; those of a receiver's strings are as wide as the last."""
    width = parts[-1].data.shape[1]
    return Batch(
        np.concatenate([_widened(part.data, width) for part in parts]),
        np.concatenate([part.size for part in parts]),
        np.concatenate([part.time_ns for part in parts]),
        np.concatenate([part.address for part in parts]),
        parts[0].kernel_stamped,
    )
