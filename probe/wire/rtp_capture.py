"""Which captured datagrams may be RTP, and their headers (RFC 3550 5.1); which are RTCP.

What shares a port is told apart by the first byte (RFC 7983, RFC 9443), RTP from RTCP by the second one (RFC
5761 4). A datagram that begins as RTP does is a candidate; whether it is one shows when it has company
(`analysis/rtp_streams`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.wire.datagrams import Datagrams
from probe.wire.gather import Bytes, Positions
from probe.wire.rtp import HEADER_BYTES

KINDS = (
    (0, "stun"),
    (4, "other"),
    (16, "zrtp"),
    (20, "dtls"),
    (64, "turn_or_quic"),
    (80, "quic"),
    (128, "rtp"),
    (192, "quic"),
)
"""First bytes from which on a datagram is of this kind (RFC 9443 2)."""

_RTP, _RTCP_TYPES = "rtp", (192, 223)


@dataclass(frozen=True, slots=True)
class RtpRows:
    """Headers of candidates. `row` is that of the datagram, `payload_bytes` are without header and padding."""

    row: NDArray[np.intp]
    payload_type: Positions
    marker: NDArray[np.bool_]
    sequence: NDArray[np.uint16]
    timestamp: NDArray[np.uint32]
    ssrc: Positions
    payload_bytes: Positions


def told_apart(
    data: NDArray[np.uint8], datagrams: Datagrams
) -> tuple[RtpRows, NDArray[np.intp], Counter[str]]:
    """`(candidates for RTP, rows of RTCP, how many of each kind)`."""
    fields = Bytes(data)
    counts: Counter[str] = Counter()
    filled = datagrams.captured > 0
    first = np.where(filled, fields.u8(datagrams.at), 0)
    begins = np.array([begin for begin, _ in KINDS])
    kind = np.searchsorted(begins, first, "right") - 1
    for number, (_, name) in enumerate(KINDS):
        counts[name] += int(np.count_nonzero(filled & (kind == number)))
    counts["empty"] = int(np.count_nonzero(~filled))
    version_2 = np.flatnonzero(filled & (first >> 6 == 2) & (datagrams.captured >= 4))
    second = fields.u8(datagrams.at[version_2] + 1)
    rtcp = (second >= _RTCP_TYPES[0]) & (second <= _RTCP_TYPES[1])
    counts["rtcp"] = int(np.count_nonzero(rtcp))
    candidates = _headers(fields, datagrams, version_2[~rtcp])
    counts[_RTP] = len(candidates.row)
    counts["other"] += len(version_2) - len(candidates.row) - counts["rtcp"]
    return candidates, version_2[rtcp], +counts


def _headers(fields: Bytes, datagrams: Datagrams, row: NDArray[np.intp]) -> RtpRows:
    """Of the datagrams whose header, extension and padding fit into them (A.1)."""
    row = row[datagrams.captured[row] >= HEADER_BYTES]
    at, size, captured = datagrams.at[row], datagrams.size[row], datagrams.captured[row]
    first = fields.u8(at)
    header = HEADER_BYTES + 4 * (first & 0x0F)
    extended = (first & 0x10) > 0
    seen = header + 4 <= captured
    header += np.where(extended, 4 + np.where(seen, 4 * fields.u16(at + header + 2), 0), 0)
    padded = (first & 0x20) > 0
    ends_here = captured == size
    padding = np.where(padded & ends_here, fields.u8(at + size - 1), 0)
    fits = (header + padding <= size) & ~(padded & ends_here & (padding == 0))
    row, at = row[fits], at[fits]
    second = fields.u8(at + 1)
    return RtpRows(
        row=row,
        payload_type=second & 0x7F,
        marker=second > 0x7F,
        sequence=fields.u16(at + 2).astype(np.uint16),
        timestamp=fields.u32(at + 4).astype(np.uint32),
        ssrc=fields.u32(at + 8),
        payload_bytes=(size - header - padding)[fits],
    )
