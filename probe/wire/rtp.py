"""RTP fixed headers (RFC 3550 5.1) and RTX (RFC 4588), a batch of packets at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

HEADER_BYTES = 12
OSN_BYTES = 2
"""RFC 4588 4: an RTX payload starts with the original sequence number."""

_HEADER = np.dtype(
    [("v_p_x_cc", "u1"), ("m_pt", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")]
)


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
    header["v_p_x_cc"] = 0x80
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
        valid=(header["v_p_x_cc"] & 0xDF == 0x80) & (size >= HEADER_BYTES),
        marker=header["m_pt"] > 127,
        payload_type=header["m_pt"] & np.uint8(127),
        sequence=header["sequence"].astype(np.uint16),
        timestamp=header["timestamp"].astype(np.uint32),
        ssrc=header["ssrc"].astype(np.uint32),
    )


def write_original_sequence(data: NDArray[np.uint8], sequence: ArrayLike) -> None:
    """Write the RTX original sequence number behind the header of every row."""
    osn = np.asarray(sequence).astype(np.uint16)
    data[:, HEADER_BYTES] = osn >> 8
    data[:, HEADER_BYTES + 1] = osn & 0xFF


def read_original_sequence(data: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """The RTX original sequence number of every row."""
    high = data[:, HEADER_BYTES].astype(np.uint16)
    return high << np.uint16(8) | data[:, HEADER_BYTES + 1]
