"""The payload of our RTP packets: what both ends write into a test packet.

Sixty bytes behind the RTP header (two bytes later in RTX), then zeros up to the packet's size. The
client's SSRCs of a session are `ssrc_base + stream`; the node mirrors them with one bit set, and RTX
(RFC 4588 5.3, SSRC multiplexing) with another.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.wire.rtp import HEADER_BYTES, OSN_BYTES, structured

MAGIC = 0x5250  # "RP"
MEDIA, REFLECTION = 1, 2

PAYLOAD = np.dtype(
    [
        ("magic", ">u2"),
        ("kind", "u1"),
        ("flags", "u1"),
        ("index", ">u4"),  # of the scheduled packet in its stream
        ("token", ">u4"),  # first four bytes of the session's token
        ("reflected", ">u4"),  # the node's own sequence number of this reflection
        ("t1", ">i8"),  # client's clock when it left, ns
        ("t2", ">i8"),  # node's clock when it arrived; in MEDIA: the client's round trip estimate, ns
        ("t3", ">i8"),  # node's clock when the reflection left
        ("received", ">u4"),  # packets of this stream the node has received, without duplicates
        ("policed", ">u2"),  # of the session, modulo 2^16
        ("socket_dropped", ">u2"),  # of the node, modulo 2^16
        ("stamped", ">u4"),  # two-step: a reflection whose transmit stamp follows; in QUIC: packet number
        ("stamp_delta", ">i4"),  # two-step: its kernel transmit stamp minus its t3, ns
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

SLOT_BITS = 20
SLOT_MASK = (1 << SLOT_BITS) - 1
DOWN_SSRC = 1 << 31
RTX_SSRC = 1 << 30

PT_AUDIO, PT_VIDEO, PT_AUDIO_RTX, PT_VIDEO_RTX = 111, 96, 112, 97
RTX_PAYLOAD_TYPES = {PT_AUDIO: PT_AUDIO_RTX, PT_VIDEO: PT_VIDEO_RTX}

_CHECK_WORD = (PAYLOAD_BYTES - 4) // 2


def payloads(data: NDArray[np.uint8], *, rtx: bool = False) -> NDArray[np.void]:
    """A writable view of the payload fields of every row; rows must be wide enough."""
    return structured(data, HEADER_BYTES + (OSN_BYTES if rtx else 0), PAYLOAD)


def checksums(data: NDArray[np.uint8], *, rtx: bool = False) -> NDArray[np.uint32]:
    """Sum of the 16-bit words behind the RTP header (behind the OSN in RTX) without the check itself.

    UDP's own checksum is written anew by every relay on the way; this one goes from end to end, so that a
    flipped bit is counted as `corrupt` and not believed. Rows are of even width, zero behind their size.
    """
    start = HEADER_BYTES + (OSN_BYTES if rtx else 0)
    words = data[:, start:].view(np.uint16)
    total: NDArray[np.uint32] = np.add.reduce(words, axis=1, dtype=np.uint32)
    total -= words[:, _CHECK_WORD]
    total -= words[:, _CHECK_WORD + 1]
    return total
