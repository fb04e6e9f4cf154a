"""RTP fixed headers (RFC 3550 5.1) and RTX (RFC 4588), a batch of packets at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

HEADER_BYTES = 12
VERSION = 0x80
"""First byte of a packet of version 2 without padding, extension or CSRC."""
OSN_BYTES = 2
"""RFC 4588 4: an RTX payload starts with the original sequence number."""

_HEADER = np.dtype(
    [("v_p_x_cc", "u1"), ("m_pt", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")]
)
MEDIA_MASK, MEDIA_BITS = 0xDF60_0000, VERSION << 24 | 0x60_0000
"""What the first 32-bit word of a packet of media has where (see `is_media`)."""


class Headers(NamedTuple):
    """Header fields of n packets; a row with `valid` False holds nothing meaningful."""

    valid: NDArray[np.bool_]
    marker: NDArray[np.bool_]
    payload_type: NDArray[np.uint8]
    sequence: NDArray[np.uint16]
    timestamp: NDArray[np.uint32]
    ssrc: NDArray[np.uint32]


def structured(data: NDArray[np.uint8], offset: int, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """A writable view of `dtype` at byte `offset` of every row of `data`."""
    return data[:, offset : offset + dtype.itemsize].view(dtype)[:, 0]


def write_headers(
    data: NDArray[np.uint8],
    *,
    payload_type: ArrayLike,
    marker: ArrayLike,
    sequence: ArrayLike,
    timestamp: ArrayLike,
    ssrc: ArrayLike,
) -> None:
    """Write version 2 headers without CSRC or extension into the first 12 bytes of every row."""
    header = structured(data, 0, _HEADER)
    header["v_p_x_cc"] = VERSION
    header["m_pt"] = np.asarray(payload_type, np.uint8) | (np.asarray(marker, np.uint8) << 7)
    header["sequence"] = sequence
    header["timestamp"] = timestamp
    header["ssrc"] = ssrc


def read_headers(data: NDArray[np.uint8], size: NDArray[np.int64]) -> Headers:
    """Read the headers of any bytes; valid = version 2, no CSRC or extension, at least 12 bytes."""
    if data.shape[1] < HEADER_BYTES:
        data = np.pad(data, ((0, 0), (0, HEADER_BYTES - data.shape[1])))
    header = structured(data, 0, _HEADER)
    return Headers(
        valid=(header["v_p_x_cc"] & 0xDF == VERSION) & (size >= HEADER_BYTES),
        marker=header["m_pt"] > 127,
        payload_type=header["m_pt"] & np.uint8(127),
        sequence=header["sequence"].astype(np.uint16),
        timestamp=header["timestamp"].astype(np.uint32),
        ssrc=header["ssrc"].astype(np.uint32),
    )


def is_media(start: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """By the first 32-bit word of each packet: version 2, no extension or CSRC, and a dynamic payload type
    (96..127, RFC 3551 6), which is never taken for RTCP's second byte (RFC 5761 4)."""
    media: NDArray[np.bool_] = start & MEDIA_MASK == MEDIA_BITS
    return media


def is_one_media(start: int) -> bool:
    """`is_media` of one packet."""
    return start & MEDIA_MASK == MEDIA_BITS


def encapsulate(data: NDArray[np.uint8], original: ArrayLike) -> NDArray[np.uint8]:
    """RTX packets (RFC 4588 4): every row with its original sequence number between header and payload."""
    osn = np.asarray(original).astype(">u2").reshape(-1, 1).view(np.uint8)
    osn = np.broadcast_to(osn, (len(data), OSN_BYTES))
    return np.concatenate([data[:, :HEADER_BYTES], osn, data[:, HEADER_BYTES:]], axis=1)


def decapsulate(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What `encapsulate` was given, as wide as `data`; the header stays that of the RTX packet."""
    plain = np.zeros_like(data)
    plain[:, :HEADER_BYTES] = data[:, :HEADER_BYTES]
    plain[:, HEADER_BYTES:-OSN_BYTES] = data[:, HEADER_BYTES + OSN_BYTES :]
    return plain
