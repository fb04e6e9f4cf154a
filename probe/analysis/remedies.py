"""Remedies against loss that a trace can be replayed with, and what they send.

NACK asks again (RFC 4585, RTX of RFC 4588), RED carries earlier payloads along (RFC 2198), and a block code
adds repair packets after every so many of media: one is XOR (RFC 8627, a row), more an ideal (MDS) code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.analysis.delay import Floats

RTP_HEADER_BYTES = 12
RTX_BYTES = 2
"""The original sequence number (RFC 4588 4)."""
RED_BLOCK_BYTES, RED_PRIMARY_BYTES = 4, 1
"""Headers of a redundant block and of the primary one (RFC 2198 3)."""
RED_LARGEST_BYTES = 1023
"""A redundant block's length has ten bits (RFC 2198 3)."""
FEC_HEADER_BYTES = 12
"""FlexFEC header with a fixed block (RFC 8627 4.2.2) before the protected payload."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """`retries` requests a packet at most; `red` earlier payloads in each packet; `repair` packets after
    every `media` packets. 0 is without."""

    retries: int = 0
    red: int = 0
    media: int = 0
    repair: int = 0

    @property
    def name(self) -> str:
        """`none`, `nack x3`, `red 2`, `xor 5+1`, `mds 10+2`, or a pair: `nack x10 + red 1`."""
        parts = []
        if self.retries:
            parts.append(f"nack x{self.retries}")
        if self.red:
            parts.append(f"red {self.red}")
        if self.repair:
            parts.append(f"{'xor' if self.repair == 1 else 'mds'} {self.media}+{self.repair}")
        return " + ".join(parts) or "none"

    def fits(self, largest: int) -> bool:
        """Whether packets of up to so many bytes can be protected so."""
        return not self.red or largest - RTP_HEADER_BYTES <= RED_LARGEST_BYTES


NONE = Remedy()
ATTEMPTS = 10
"""Requests a packet as libwebrtc makes them, and this program's own streams."""
BLOCKS = ((10, 1), (5, 1), (3, 1), (2, 1), (10, 2), (10, 3), (5, 2), (5, 3), (5, 5))
REMEDIES = (
    NONE,
    *(Remedy(retries=retries) for retries in (1, 2, 3, ATTEMPTS)),
    *(Remedy(red=depth) for depth in (1, 2, 3, 4)),
    *(Remedy(media=media, repair=repair) for media, repair in BLOCKS),
    *(Remedy(retries=ATTEMPTS, red=depth) for depth in (1, 2, 3)),
    *(Remedy(retries=ATTEMPTS, media=media, repair=repair) for media, repair in ((10, 1), (5, 1), (5, 2))),
)


def red_bytes(size: Floats, depth: int) -> float:
    """What the redundant blocks of all packets add; `size` is a row a stream, nan where there is no packet.

    A packet carries the payloads of the `depth` before it in its stream.
    """
    there = ~np.isnan(size)
    block = np.where(there, size - RTP_HEADER_BYTES + RED_BLOCK_BYTES, 0.0)
    carried = sum(float((block[:, :-back] * there[:, back:]).sum()) for back in range(1, depth + 1))
    return carried + RED_PRIMARY_BYTES * float(np.count_nonzero(there))


def fec_bytes(size: Floats, media: int, repair: int) -> float:
    """Of the repair packets: each as long as the longest packet of its block, and a header."""
    blocks = np.nan_to_num(blocked(size, media, np.nan), nan=0.0)
    longest = blocks.max(axis=-1, initial=0.0)
    return repair * float((longest + FEC_HEADER_BYTES * (longest > 0)).sum())


def blocked(values: Floats, media: int, filling: float) -> Floats:
    """The last axis in blocks of `media`; the last block is filled up."""
    count = -(-values.shape[-1] // media)
    padded = np.full((*values.shape[:-1], count * media), filling)
    padded[..., : values.shape[-1]] = values
    return padded.reshape(*values.shape[:-1], count, media)
