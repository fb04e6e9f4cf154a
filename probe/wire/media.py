"""The payload of our RTP packets: what both ends write into a test packet.

Sixty bytes behind the RTP header, then zeros up to the packet's size. The client's SSRCs of a session are
`ssrc_base + stream`; the node mirrors them with one bit set, RTX (RFC 4588 5.3, SSRC multiplexing) and FEC
(RFC 8627 1.1.4) with others. Every field ends on a 32-bit boundary, so that header and payload of a whole batch can be
read and written as one matrix of words: one conversion of byte order a batch instead of one a field.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from probe.metrics import Times
from probe.wire import rtp
from probe.wire.rtp import HEADER_BYTES, structured

MAGIC = 0x5250  # "RP"
MEDIA, REFLECTION = 1, 2

PAYLOAD = np.dtype(
    [
        ("magic", ">u2"),
        ("kind", "u1"),
        ("flags", "u1"),
        ("index", ">u4"),  # of the scheduled packet in its stream
        ("token", ">u4"),  # first four bytes of the session's token
        ("reflected", ">u4"),  # the node's own sequence number; in MEDIA: packets just before it, never sent
        ("t1", ">i8"),  # client's clock when it left, ns
        ("t2", ">i8"),  # node's clock when it arrived; in MEDIA: the client's round trip estimate, ns
        ("t3", ">i8"),  # node's clock when the reflection left
        ("received", ">u4"),  # packets of this stream the node has received, without duplicates
        ("policed", ">u2"),  # of the session, modulo 2^16
        ("socket_dropped", ">u2"),  # of the node, modulo 2^16
        ("stamped", ">u4"),  # two-step: a reflection sent before (its `reflected`); in QUIC: packet number
        ("stamp_delta", ">i4"),  # two-step: that one's kernel transmit stamp minus its t3, ns
        ("check", ">u4"),
    ]
)
PAYLOAD_BYTES = PAYLOAD.itemsize
MIN_PACKET_BYTES = HEADER_BYTES + PAYLOAD_BYTES
MAX_PACKET_BYTES = 1200

KERNEL_T2 = 1
"""Bit of `flags`: t2 is a kernel stamp."""
UP_REPAIRED = 2
"""Bit of `flags`: what is reflected came by QUIC's retransmission; its first transmission was lost."""
KERNEL_T3 = 4
"""Bit of `flags`, in a retransmission: t3, of the first transmission, is a kernel stamp."""
TELLS_T3 = 8
"""Bit of `flags`: `stamped` and `stamp_delta` tell when an earlier reflection really left (two-step)."""

SLOT_BITS = 20
SLOT_MASK = (1 << SLOT_BITS) - 1
DOWN_SSRC = 1 << 31
RTX_SSRC = 1 << 30
FEC_SSRC = 1 << 29

PT_AUDIO, PT_VIDEO, PT_AUDIO_RTX, PT_VIDEO_RTX, PT_RED, PT_FEC = 111, 96, 112, 97, 113, 115
RTX_PAYLOAD_TYPES = {PT_AUDIO: PT_AUDIO_RTX, PT_VIDEO: PT_VIDEO_RTX}

W_START, W_TIMESTAMP, W_SSRC = 0, 1, 2
W_KIND, W_INDEX, W_TOKEN, W_REFLECTED = 3, 4, 5, 6
W_T1, W_T2, W_T3 = 7, 9, 11  # the upper half of each; the lower follows
W_RECEIVED, W_COUNTERS, W_STAMPED, W_DELTA, W_CHECK = 13, 14, 15, 16, 17
WORDS = 18
"""Columns of the word matrix. W_START: version, marker, payload type and sequence number; W_KIND: magic,
kind and flags; W_COUNTERS: policed and socket_dropped."""

_T2_AT = W_T2 * 4
_WORDS = struct.Struct(f">{WORDS}I")

MEDIA_KIND, REFLECTION_KIND = (MAGIC << 16 | kind << 8 for kind in (MEDIA, REFLECTION))
"""W_KIND without flags."""


def payloads(data: NDArray[np.uint8]) -> NDArray[np.void]:
    """A writable view of the payload fields of every row; rows must be wide enough."""
    return structured(data, HEADER_BYTES, PAYLOAD)


def read_words(data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """(n, WORDS) header and payload of every row, a copy; where a row is too short: zeros.

    A column lies in one piece: what is done to a field of all packets is then twice as fast.
    """
    if data.shape[1] < MIN_PACKET_BYTES:
        data = np.pad(data, ((0, 0), (0, MIN_PACKET_BYTES - data.shape[1])))
    return data[:, :MIN_PACKET_BYTES].view(">u4").T.astype(np.uint32, order="C").T


def word_view(data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """(n, WORDS) the same as a writable view; assigning converts the byte order."""
    return data[:, :MIN_PACKET_BYTES].view(">u4")


def read_time(words: NDArray[np.uint32], column: int) -> Times:
    """(n,) the 64-bit value at `column`."""
    upper: Times = words[:, column].astype(np.int64)
    upper <<= 32
    upper |= words[:, column + 1]
    return upper


def read_times(data: NDArray[np.uint8]) -> tuple[Times, Times]:
    """(n,) t2 and (n,) t3 of every row, which is wide enough."""
    times = data[:, _T2_AT : _T2_AT + 16].view(">i8").T.astype(np.int64, order="C")
    return times[0], times[1]


def write_time(words: NDArray[np.uint32], column: int, time_ns: Times) -> None:
    """Write a 64-bit value for every row at `column`."""
    words[:, column], words[:, column + 1] = time_ns >> 32, time_ns & 0xFFFFFFFF


def word_sums(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """(n,) what W_CHECK has to be: the sum modulo 2^32 of the payload's words before it.

    UDP's own checksum is written anew by every relay on the way; this one goes from end to end, so that a
    flipped bit is counted as `corrupt` and not believed.
    """
    total: NDArray[np.uint32] = np.add.reduce(words[:, W_KIND:W_CHECK], axis=1, dtype=np.uint32)
    return total


def checksums(data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """`word_sums` of packets that are not read as words."""
    return word_sums(read_words(data))


def intact_one(data: NDArray[np.uint8], words: list[int]) -> bool:
    """`intact` of a batch of one, whose words are plain numbers."""
    if sum(words[W_KIND:W_CHECK]) & 0xFFFFFFFF != words[W_CHECK]:
        return False
    rest = data[0, MIN_PACKET_BYTES:].tobytes()
    return rest == bytes(len(rest))


def write_one(data: NDArray[np.uint8], words: list[int]) -> None:
    """Write the words of a batch of one."""
    _WORDS.pack_into(data[0], 0, *words)


def intact(data: NDArray[np.uint8], words: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which packets are as they were made: the check holds and nothing but zeros follows the payload."""
    good: NDArray[np.bool_] = word_sums(words) == words[:, W_CHECK]
    if not all_zeros_follow(data):
        good &= ~data[:, MIN_PACKET_BYTES:].any(axis=1)
    return good


def all_zeros_follow(data: NDArray[np.uint8]) -> bool:
    """Whether nothing but zeros follows the payload in any row."""
    rest = data[:, MIN_PACKET_BYTES:]
    return not np.count_nonzero(rest.view(np.uint64) if rest.shape[1] % 8 == 0 else rest)


def expectation(kind: int, token: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """What the first words of RTP media of this kind and token are, and which bits of them are certain."""
    value, certain = np.zeros((W_TOKEN + 1, 1), np.uint32), np.zeros((W_TOKEN + 1, 1), np.uint32)
    value[[W_START, W_KIND, W_TOKEN], 0] = rtp.MEDIA_BITS, kind, token
    certain[[W_START, W_KIND, W_TOKEN], 0] = rtp.MEDIA_MASK, 0xFFFFFF00, 0xFFFFFFFF
    return value, certain


def all_sound(
    data: NDArray[np.uint8],
    size: NDArray[np.int64],
    words: NDArray[np.uint32],
    expected: tuple[NDArray[np.uint32], NDArray[np.uint32]],
) -> bool:
    """Whether every packet is intact and as expected: a quick answer for the usual batch."""
    value, certain = expected
    wrong = words.T[: W_TOKEN + 1] ^ value
    wrong &= certain
    return (
        not np.count_nonzero(wrong)
        and not np.count_nonzero(word_sums(words) != words[:, W_CHECK])
        and np.minimum.reduce(size) >= MIN_PACKET_BYTES
        and all_zeros_follow(data)
    )
