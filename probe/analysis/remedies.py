"""Remedies against loss that a trace can be replayed with, and what they send.

NACK asks again (RFC 4585, RTX of RFC 4588), RED carries earlier payloads along (RFC 2198), and a block code
adds repair packets after every so many of media: one is XOR (RFC 8627, a row), more an ideal (MDS) code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.analysis.delay import Floats
from probe.analysis.one_way import Mask
from probe.wire import flexfec, media, red
from probe.wire.rtp import HEADER_BYTES

RTX_BYTES = 2
"""The original sequence number (RFC 4588 4)."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """`retries` requests a packet at most; `red` earlier payloads in each packet; `repair` packets for
    every `media` packets that are `interleave` apart. 0 is without."""

    retries: int = 0
    red: int = 0
    media: int = 0
    repair: int = 0
    interleave: int = 1

    @property
    def name(self) -> str:
        """`none`, `nack x3`, `red 2`, `xor 5+1`, `mds 10+2`, or a pair: `nack x10 + red 1`."""
        parts = []
        if self.retries:
            parts.append(f"nack x{self.retries}")
        if self.red:
            parts.append(f"red {self.red}")
        if self.repair:
            apart = f"/{self.interleave}" if self.interleave > 1 else ""
            parts.append(f"{'xor' if self.repair == 1 else 'mds'} {self.media}+{self.repair}{apart}")
        return " + ".join(parts) or "none"


NONE = Remedy()
ATTEMPTS = 10
"""Requests a packet as libwebrtc makes them, and this program's own streams."""
BLOCKS = ((10, 1), (5, 1), (3, 1), (2, 1), (10, 2), (10, 3), (5, 2), (5, 3), (5, 5))
REMEDIES = (
    NONE,
    *(Remedy(retries=retries) for retries in (1, 2, 3, ATTEMPTS)),
    *(Remedy(red=depth) for depth in (1, 2, 3, 4)),
    *(Remedy(media=k, repair=r) for k, r in BLOCKS),
    *(Remedy(media=k, repair=1, interleave=apart) for k, apart in ((5, 4), (3, 4))),
    *(Remedy(retries=ATTEMPTS, red=depth) for depth in (1, 2, 3)),
    *(Remedy(retries=ATTEMPTS, media=k, repair=r) for k, r in ((10, 1), (5, 1), (5, 2))),
)


def carried(size: Floats, depth: int) -> list[Mask]:
    """For 1 to `depth` packets back: which packets of a stream carry the payload of the one so far before them.

    `size` is a row a stream, nan where there is no packet. What is longer than a block's ten bits can say (RFC
    2198 3), or would make the packet too long, is not carried.
    """
    room = media.MAX_PACKET_BYTES - np.nan_to_num(size, nan=np.inf) - red.LAST_HEADER_BYTES
    found = []
    for back in range(1, depth + 1):
        block = np.full_like(size, np.inf)
        block[:, back:] = np.nan_to_num(size[:, :-back], nan=np.inf) - HEADER_BYTES + red.BLOCK_HEADER_BYTES
        fits = (block <= room) & (block <= red.MAX_BLOCK_BYTES + red.BLOCK_HEADER_BYTES)
        room -= np.where(fits, block, 0.0)
        found.append(fits)
    return found


def red_sizes(size: Floats, depth: int) -> Floats:
    """Of packets with the earlier payloads they carry."""
    longer = size + red.LAST_HEADER_BYTES
    for back, fits in enumerate(carried(size, depth), 1):
        block = np.zeros_like(size)
        block[:, back:] = np.nan_to_num(size[:, :-back]) - HEADER_BYTES + red.BLOCK_HEADER_BYTES
        longer = longer + np.where(fits, block, 0.0)
    return longer


def fec_bytes(size: Floats, remedy: Remedy) -> float:
    """Of the repair packets of whole blocks: each as long as the longest packet it protects, and its header."""
    blocks = blocked(size, remedy, np.nan)
    longest = np.nan_to_num(blocks).max(axis=-1, initial=0.0)[~np.isnan(blocks[..., -1])]
    head = flexfec.header_bytes((remedy.media - 1) * remedy.interleave + 1) - HEADER_BYTES
    return remedy.repair * float((longest + head).sum())


def blocked(values: Floats, remedy: Remedy, filling: float) -> Floats:
    """The last axis as (columns, packets of a column); what is missing of the last block is filled up."""
    block = remedy.media * remedy.interleave
    count = -(-values.shape[-1] // block)
    padded = np.full((*values.shape[:-1], count * block), filling)
    padded[..., : values.shape[-1]] = values
    table = padded.reshape(*values.shape[:-1], count, remedy.media, remedy.interleave)
    turned: Floats = table.swapaxes(-1, -2).reshape(*values.shape[:-1], -1, remedy.media)
    return turned


def unblocked(columns: Floats, remedy: Remedy, packets: int) -> Floats:
    """A value a column, given back to each of its packets."""
    table = columns.reshape(*columns.shape[:-1], -1, 1, remedy.interleave)
    each = np.broadcast_to(table, (*table.shape[:-2], remedy.media, remedy.interleave))
    spread: Floats = each.reshape(*columns.shape[:-1], -1)[..., :packets]
    return spread
