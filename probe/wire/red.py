"""Redundant audio data (RFC 2198): a packet that carries earlier packets' payloads before its own, in batches.

Behind the RTP header stand four bytes a redundant block (a set bit, its payload type, how much older its
timestamp is, its length), one byte for the primary block (a clear bit, its payload type), and then the blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.wire.columns import Bytes, Places, cut, padded, place
from probe.wire.rtp import HEADER_BYTES

BLOCK_HEADER_BYTES = 4
LAST_HEADER_BYTES = 1
MAX_OFFSET = (1 << 14) - 1
"""RTP timestamp units by which a block may be older than its packet: 341 ms at 48 kHz."""
MAX_BLOCK_BYTES = (1 << 10) - 1
MAX_BLOCKS = 17
"""As many as fit MAX_OFFSET at 20 ms; a packet that claims more is not read."""
_MORE = 0x80


class Level(NamedTuple):
    """One redundant block a packet."""

    payload: Bytes
    """(n, width)"""
    length: Places
    """(n,) bytes of it; 0: this packet has none."""
    offset: Places
    """(n,) timestamp of the packet minus that of the block."""


class Decoded(NamedTuple):
    """What n packets of redundant audio hold."""

    good: NDArray[np.bool_]
    """(n,) which are well-formed; the fields below speak of those alone."""
    data: Bytes
    """The primaries as the RTP packets they would have been."""
    size: Places
    row: Places
    """(m,) which packet (of the n) a redundant block came in."""
    block_data: Bytes
    """(m, width) redundant blocks as RTP packets; their sequence numbers are not known (0)."""
    block_size: Places


def encode(
    data: Bytes, size: Places, levels: list[Level], payload_type: int, block_type: int
) -> tuple[Bytes, Places]:
    """Put `levels` (oldest first) of type `block_type` before the payload of each RTP packet of `data`.

    A block has 1 to MAX_BLOCK_BYTES bytes and an offset of at most MAX_OFFSET; the caller sees to that.
    """
    there = [(level.length > 0).astype(np.int64) for level in levels]
    at = np.full(len(data), HEADER_BYTES + LAST_HEADER_BYTES)
    total = size + LAST_HEADER_BYTES
    for level, present in zip(levels, there, strict=True):
        at += BLOCK_HEADER_BYTES * present
        total += BLOCK_HEADER_BYTES * present + level.length
    out = np.zeros((len(data), padded(int(total.max()))), np.uint8)
    out[:, :HEADER_BYTES] = data[:, :HEADER_BYTES]
    out[:, 1] = data[:, 1] & _MORE | payload_type
    header = np.full(len(data), HEADER_BYTES)
    for level, present in zip(levels, there, strict=True):
        word = (_MORE | block_type) << 24 | level.offset << 10 | level.length
        place(out, header, word.astype(">u4")[:, None].view(np.uint8), BLOCK_HEADER_BYTES * present)
        place(out, at, level.payload, level.length)
        header, at = header + BLOCK_HEADER_BYTES * present, at + level.length
    out[np.arange(len(data)), header] = data[:, 1] & 0x7F
    place(out, at, data[:, HEADER_BYTES:], size - HEADER_BYTES)
    return out, total


class _Headers(NamedTuple):
    """Block headers of packets: (n,) how many redundant ones, then (n, blocks) fields of each."""

    good: NDArray[np.bool_]
    blocks: Places
    payload_type: Places
    offset: Places
    length: Places
    primary_type: Places


def decode(data: Bytes, size: Places) -> Decoded:
    """Read packets of redundant audio; a row too short for what it claims is not good."""
    if data.shape[1] < HEADER_BYTES:
        data = np.pad(data, ((0, 0), (0, HEADER_BYTES - data.shape[1])))
    head = _headers(data, size)
    rows = np.flatnonzero(head.good)
    count, length = head.blocks[rows], head.length[rows]
    first = HEADER_BYTES + BLOCK_HEADER_BYTES * count + LAST_HEADER_BYTES
    ends = first[:, None] + np.cumsum(length, axis=1)
    start = ends[:, -1] if length.shape[1] else first
    plain, plain_size = _packets(data, rows, start, size[rows] - start, head.primary_type[rows])
    which, block = np.nonzero(length)
    redundant = length[which, block]
    begin = ends[which, block] - redundant
    copies, copy_size = _packets(data, rows[which], begin, redundant, head.payload_type[rows[which], block])
    stamp = copies[:, 4:8].view(">u4")[:, 0]
    stamp -= head.offset[rows[which], block].astype(np.uint32)
    copies[:, 1] &= 0x7F
    copies[:, 2:4] = 0
    return Decoded(head.good, plain, plain_size, rows[which], copies, copy_size)


def _headers(data: Bytes, size: Places) -> _Headers:
    """Follow the headers of all packets, one block a round."""
    rows = np.arange(len(data))
    good = np.zeros(len(data), np.bool_)
    count, primary = np.zeros((2, len(data)), np.int64)
    found: list[tuple[Places, Places]] = []
    for number in range(MAX_BLOCKS + 1):
        at = HEADER_BYTES + BLOCK_HEADER_BYTES * number
        rows = rows[size[rows] > at]
        if not len(rows):
            break
        last = data[rows, at] < _MORE
        good[rows[last]], primary[rows[last]], count[rows[last]] = True, data[rows[last], at], number
        rows = rows[~last]
        rows = rows[size[rows] >= at + BLOCK_HEADER_BYTES]
        words = np.ascontiguousarray(data[rows, at : at + BLOCK_HEADER_BYTES]).view(">u4")[:, 0]
        found.append((rows, words.astype(np.int64)))
    fields = np.zeros((len(data), len(found)), np.int64)
    for number, (of, words) in enumerate(found):
        fields[of, number] = words
    length = fields & MAX_BLOCK_BYTES
    needed = HEADER_BYTES + BLOCK_HEADER_BYTES * count + LAST_HEADER_BYTES + length.sum(axis=1)
    good &= needed <= size
    return _Headers(good, count, fields >> 24 & 0x7F, fields >> 10 & MAX_OFFSET, length, primary)


def _packets(
    data: Bytes, rows: Places, start: Places, length: Places, payload_type: Places
) -> tuple[Bytes, Places]:
    """The bytes from `start` on of each of `rows`, behind the packet's header with another payload type."""
    size = HEADER_BYTES + length
    out = np.zeros((len(rows), padded(int(size.max(initial=HEADER_BYTES)))), np.uint8)
    out[:, :HEADER_BYTES] = data[rows, :HEADER_BYTES]
    out[:, 1] = data[rows, 1] & _MORE | payload_type.astype(np.uint8)
    out[:, HEADER_BYTES:] = cut(data[rows], start, length, out.shape[1] - HEADER_BYTES)
    return out, size
