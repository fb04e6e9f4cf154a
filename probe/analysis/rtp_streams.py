"""The RTP streams of a capture: found by what only RTP does, and cut where their sender began anew.

Candidates (version 2, not RTCP, a header that fits) of one flow and one SSRC are a stream if there are at least
`LEAST` of them and at least half go on from the one before by 1 to `NEAR` sequence numbers. Other datagrams that
happen to begin so have something else there: random numbers step so once in 650 times, and three that all do
once in 400,000.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.analysis.delay import Integers
from probe.analysis.one_way import Mask
from probe.analysis.rtp_clock import SECOND_NS, Clock, clock_of
from probe.analysis.series_source import unwrap_sequence
from probe.metrics import Times
from probe.wire.datagrams import Datagrams, Endpoint
from probe.wire.rtp_capture import RtpRows

LEAST = 3
NEAR = 100
MAX_DROPOUT, MAX_MISORDER = 3000, 100
"""RFC 3550 A.1: a larger step of the sequence number may be a sender that began anew."""
CONTRADICTION_NS = 2 * SECOND_NS
"""Numbers and time stamps that disagree by more are not of one counting."""


@dataclass(frozen=True, slots=True)
class RtpStream:
    """Packets of one source in order of arrival; `part` counts from 1 where it began anew.

    `seq` and `stamp` are counted on over their wraps; `payload_types` are by number of packets, the most first.
    """

    ssrc: int
    part: int
    source: Endpoint
    destination: Endpoint
    payload_types: dict[int, int]
    clock: Clock
    received_ns: Times
    seq: Integers
    stamp: Integers
    size: Integers
    frames: Integers

    @property
    def payload_type(self) -> int:
        """The usual one."""
        return next(iter(self.payload_types))


@dataclass(frozen=True, slots=True)
class Found:
    """`alone` candidates belong to no stream; `stray` packets of a stream fit to none of its parts."""

    streams: list[RtpStream]
    alone: int
    stray: int


def find_streams(
    datagrams: Datagrams,
    rows: RtpRows,
    clock_hz: int | None = None,
    sender_hz: dict[int, float] | None = None,
) -> Found:
    """All streams, by their first packet. `sender_hz` is the RTP clock of each SSRC by its sender reports."""
    order, starts = _by_source(datagrams, rows)
    found: list[RtpStream] = []
    alone = stray = 0
    for mine in np.split(order, starts[1:]) if len(order) else []:
        if not _is_stream(rows.sequence[mine]):
            alone += len(mine)
            continue
        parts, odd = _parts(rows, mine, datagrams.time_ns[rows.row[mine]], clock_hz, sender_hz or {})
        stray += odd
        for number, (chosen, clock) in enumerate(parts, 1):
            found.append(_stream(datagrams, rows, chosen, number, clock))
    found.sort(key=lambda stream: int(stream.received_ns[0]))
    return Found(found, alone, stray)


def _by_source(datagrams: Datagrams, rows: RtpRows) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Candidates by flow and SSRC, each in order of arrival; and where each source begins."""
    row = rows.row
    source, destination = datagrams.source[row], datagrams.destination[row]
    ports = datagrams.source_port[row] << 48 | datagrams.destination_port[row] << 32 | rows.ssrc
    columns = np.column_stack([source, destination, ports.astype(np.uint64)])
    number = _numbered(columns)
    by_time = np.argsort(datagrams.time_ns[row], kind="stable")
    order = by_time[np.argsort(number[by_time], kind="stable")]
    ordered = number[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)])
    return order, starts


def _numbered(columns: NDArray[np.uint64]) -> NDArray[np.intp]:
    """The same number for equal rows. By a hash, which is checked: sorting whole rows takes ten times as long."""
    odd = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
    factors = np.r_[odd, odd[:2] ^ np.uint64(0x5851F42D4C957F2C)]
    mixed = (columns ^ (columns >> np.uint64(29))) * factors
    key = np.bitwise_xor.reduce(mixed ^ (mixed >> np.uint64(32)), axis=1)
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    if not np.array_equal(columns[first][number], columns):
        number = np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)
    return number


def _is_stream(sequence: NDArray[np.uint16]) -> bool:
    if len(sequence) < LEAST:
        return False
    step = np.diff(sequence)  # wraps as sequence numbers do
    onward = np.count_nonzero((step >= 1) & (step <= NEAR))
    return bool(2 * onward >= len(step))


def _parts(
    rows: RtpRows,
    mine: NDArray[np.intp],
    received_ns: Times,
    clock_hz: int | None,
    sender_hz: dict[int, float],
) -> tuple[list[tuple[NDArray[np.intp], Clock]], int]:
    """`(rows and clock of each part, packets that fit to none)`: a part ends where its sender began anew."""
    ssrc = int(rows.ssrc[mine[0]])
    types = rows.payload_type[mine]
    clock = clock_of(types, rows.timestamp[mine], received_ns, clock_hz, sender_hz.get(ssrc))
    anew = _began_anew(rows.sequence[mine], rows.timestamp[mine], received_ns, clock.hz)
    lengths = np.diff(np.r_[0, np.flatnonzero(anew) + 1, len(mine)])
    kept = np.repeat(lengths >= LEAST, lengths)
    odd = len(mine) - int(np.count_nonzero(kept))
    if odd and kept.any():  # a packet that belongs nowhere does not end a part either
        mine, received_ns = mine[kept], received_ns[kept]
        anew = _began_anew(rows.sequence[mine], rows.timestamp[mine], received_ns, clock.hz)
    elif odd:
        return [], odd
    return [(part, clock) for part in np.split(mine, np.flatnonzero(anew) + 1)], odd


def _began_anew(
    sequence: NDArray[np.uint16], timestamp: NDArray[np.uint32], received_ns: Times, hz: int
) -> Mask:
    """After which packets the sender counts from elsewhere.

    Numbers and time stamps, which are both the sender's, then contradict each other, and the network cannot be
    why. A long silence contradicts nothing: one number, and as much time by the stamps as by the clock.
    """
    step = np.diff(sequence).view(np.int16).astype(np.int64)
    media_ns = np.diff(timestamp).view(np.int32).astype(np.int64) * SECOND_NS // hz
    usual = (step > 0) & (step <= NEAR) & (media_ns >= 0) & (media_ns < CONTRADICTION_NS)
    packet_ns = media_ns[usual].sum() / step[usual].sum() if usual.any() else 0.0
    contradiction = np.abs(media_ns - step * packet_ns) > CONTRADICTION_NS
    jump = (step > MAX_DROPOUT) | (step < -MAX_MISORDER)
    silence = np.abs(media_ns - np.diff(received_ns)) <= CONTRADICTION_NS
    anew: Mask = contradiction & (jump | ~silence)
    return anew


def _stream(
    datagrams: Datagrams, rows: RtpRows, chosen: NDArray[np.intp], part: int, clock: Clock
) -> RtpStream:
    at = rows.row[chosen]
    source, destination = datagrams.ends(int(at[0]))
    types, counts = np.unique(rows.payload_type[chosen], return_counts=True)
    usual = np.argsort(-counts, kind="stable")
    stamp = rows.timestamp[chosen]
    steps = np.diff(stamp).view(np.int32)
    return RtpStream(
        ssrc=int(rows.ssrc[chosen[0]]),
        part=part,
        source=source,
        destination=destination,
        payload_types={int(types[k]): int(counts[k]) for k in usual},
        clock=clock,
        received_ns=datagrams.time_ns[at],
        seq=unwrap_sequence(rows.sequence[chosen]),
        stamp=int(stamp[0]) + np.r_[0, np.cumsum(steps, dtype=np.int64)],
        size=datagrams.size[at],
        frames=datagrams.frame[at],
    )
