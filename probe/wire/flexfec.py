"""Flexible FEC (RFC 8627): repair packets that are the XOR of some media packets, in batches.

Only repair packets with a flexible mask (R = 0, F = 0) that protect one stream are written and read: the mask
says exactly which packets were XORed, so that a sequence number that never left is not taken for a loss.

    RTP header with one CSRC, the protected SSRC                    16 bytes
    FEC header (RFC 8627 4.2.2.1): recovery of the first two bytes, length and timestamp, then
    the lowest protected sequence number and a mask of 15, 46 or 110 bits
    XOR of everything behind the fixed headers
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.wire.columns import Bytes, Places, cut, padded
from probe.wire.rtp import HEADER_BYTES, VERSION

MAX_SPAN = 110
"""Sequence numbers from the first to the last packet that one repair packet can protect."""
STRING_HEAD_BYTES = 8
"""Of a bit string before the payload: what recovers the first two bytes, the length and the timestamp."""
_CSRC_BYTES = 4
_BASE_AT = HEADER_BYTES + _CSRC_BYTES + STRING_HEAD_BYTES
_MASK_AT = _BASE_AT + 2
_MASK_BYTES, _MASK_BITS = (2, 6, 14), (15, 46, MAX_SPAN)
# The bits of a whole mask among its 112: the two others (k) say that nothing follows.
_K_BITS = (0, 16)
_BIT = np.r_[1:16, 17:48, 48:112]


class Repairs(NamedTuple):
    """n repair packets; rows that are not `good` hold nothing meaningful."""

    good: NDArray[np.bool_]
    protected: NDArray[np.uint32]
    """(n,) SSRC of the media."""
    base: NDArray[np.uint16]
    """(n,) the lowest sequence number protected."""
    mask: NDArray[np.bool_]
    """(n, MAX_SPAN) which of those from `base` on are."""
    string: Bytes
    """(n, width) XOR of the bit strings."""


def header_bytes(span: int) -> int:
    """Bytes of a repair packet before the XOR of payloads, where the protected numbers span so many."""
    return _MASK_AT + _MASK_BYTES[_mask_kind(span)]


def _mask_kind(span: int) -> int:
    return next(kind for kind, bits in enumerate(_MASK_BITS) if span <= bits)


def is_repair(start: NDArray[np.uint32], payload_type: int) -> NDArray[np.bool_]:
    """By the first 32-bit word of each packet: version 2, one CSRC, no extension or padding, of this type."""
    found: NDArray[np.bool_] = start & 0xFF7F_0000 == (VERSION | 1) << 24 | payload_type << 16
    return found


def strings(data: Bytes, size: Places) -> Bytes:
    """(n, 8 + payload) the bit string of each RTP packet (RFC 8627 6.3.2): the first two bytes, the length
    behind the fixed header, the timestamp, and all that follows the fixed header."""
    out = np.empty((len(data), STRING_HEAD_BYTES + data.shape[1] - HEADER_BYTES), np.uint8)
    out[:, 0:2] = data[:, 0:2]
    out[:, 2:4] = (size - HEADER_BYTES).astype(">u2")[:, None].view(np.uint8)
    out[:, 4:8] = data[:, 4:8]
    out[:, STRING_HEAD_BYTES:] = data[:, HEADER_BYTES:]
    return out


def encode(
    string: Bytes,
    longest: Places,
    *,
    payload_type: int,
    span: int,
    sequence: Places,
    timestamp: Bytes,
    ssrc: NDArray[np.uint32],
    protected: NDArray[np.uint32],
    base: Places,
    mask: NDArray[np.bool_],
) -> tuple[Bytes, Places]:
    """Repair packets from XORed bit strings.

    `longest` is the size of the longest protected packet, `timestamp` (n, 4) bytes of the repair's own, `span`
    what the masks of these streams can reach: their size is the same in every packet of a stream.
    """
    kind, head = _mask_kind(span), header_bytes(span)
    size = head + longest - HEADER_BYTES
    out = np.zeros(
        (len(string), padded(max(int(size.max()), head + string.shape[1] - STRING_HEAD_BYTES))), np.uint8
    )
    out[:, 0], out[:, 1] = VERSION | 1, payload_type
    out[:, 2:4] = sequence.astype(">u2")[:, None].view(np.uint8)
    out[:, 4:8] = timestamp
    out[:, 8:12] = ssrc.astype(">u4")[:, None].view(np.uint8)
    out[:, 12:16] = protected.astype(">u4")[:, None].view(np.uint8)
    out[:, 16:24] = string[:, :STRING_HEAD_BYTES]
    out[:, 16] &= 0x3F  # R = 0, F = 0 instead of the version
    out[:, _BASE_AT:_MASK_AT] = base.astype(">u2")[:, None].view(np.uint8)
    bits = np.zeros((len(string), 112), np.bool_)
    bits[:, _BIT] = mask
    if kind < len(_K_BITS):
        bits[:, _K_BITS[kind]] = True
    out[:, _MASK_AT:head] = np.packbits(bits, axis=1)[:, : head - _MASK_AT]
    out[:, head : head + string.shape[1] - STRING_HEAD_BYTES] = string[:, STRING_HEAD_BYTES:]
    return out, size


def parse(data: Bytes, size: Places) -> Repairs:
    """Read packets for which `is_repair` holds."""
    least = header_bytes(1)
    if data.shape[1] < least:
        data = np.pad(data, ((0, 0), (0, least - data.shape[1])))
    wide = np.pad(data[:, _MASK_AT : _MASK_AT + 14], ((0, 0), (0, max(0, _MASK_AT + 14 - data.shape[1]))))
    bits = np.unpackbits(wide, axis=1).astype(np.bool_)
    kind = np.where(bits[:, _K_BITS[0]], 0, np.where(bits[:, _K_BITS[1]], 1, 2))
    head = _MASK_AT + np.array(_MASK_BYTES)[kind]
    good = (size >= head) & (data[:, 16] & 0xC0 == 0)
    mask = bits[:, _BIT] & (np.arange(MAX_SPAN) < np.array(_MASK_BITS)[kind][:, None])
    payload = np.where(good, size - head, 0)
    width = int(payload.max(initial=0))
    string = np.empty((len(data), STRING_HEAD_BYTES + width), np.uint8)
    string[:, :STRING_HEAD_BYTES] = data[:, 16:24]
    string[:, STRING_HEAD_BYTES:] = cut(data, np.where(good, head, 0), payload, width)
    words = np.ascontiguousarray(data[:, 12:16]).view(">u4")[:, 0].astype(np.uint32)
    base = np.ascontiguousarray(data[:, _BASE_AT:_MASK_AT]).view(">u2")[:, 0].astype(np.uint16)
    return Repairs(good, words, base, mask, string)


def rebuild(string: Bytes, sequence: Places, ssrc: NDArray[np.uint32]) -> tuple[Bytes, Places]:
    """The RTP packets whose bit strings these are (RFC 8627 6.3.3); (n,) sizes, 0 where a length cannot be."""
    length = np.ascontiguousarray(string[:, 2:4]).view(">u2")[:, 0].astype(np.int64)
    room = string.shape[1] - STRING_HEAD_BYTES
    size = np.where(length <= room, length + HEADER_BYTES, 0)
    out = np.zeros((len(string), padded(HEADER_BYTES + room)), np.uint8)
    out[:, 0] = string[:, 0] & 0x3F | VERSION
    out[:, 1] = string[:, 1]
    out[:, 2:4] = sequence.astype(">u2")[:, None].view(np.uint8)
    out[:, 4:8] = string[:, 4:8]
    out[:, 8:12] = ssrc.astype(">u4")[:, None].view(np.uint8)
    out[:, HEADER_BYTES : HEADER_BYTES + room] = string[:, STRING_HEAD_BYTES:]
    return out, size
