"""RTCP: reports, BYE, APP and the generic NACK (RFC 3550 section 6, RFC 4585 section 6.2.1).

Two speeds. A packet at a time: frozen dataclasses with `encode()`, and `parse_compound`. A batch at a
time, for the media path: `encode_nacks`, `parse_nacks` and `is_rtcp` work on arrays of datagrams.
NACKs travel as reduced-size RTCP (RFC 5506): a datagram with one feedback packet and no report.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from probe.errors import ProtocolError


class PacketType(IntEnum):
    """The second byte of an RTCP packet that this module reads; RFC 3550 section 12.1, RFC 4585 6.1."""

    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    BYE = 203
    APP = 204
    TRANSPORT_FEEDBACK = 205


GENERIC_NACK = 1
"""The feedback message type (FMT) of a generic NACK, among transport feedback (RFC 4585 section 6.2)."""

BITMASK = 16
"""Packets that the bitmask of following lost packets (BLP) covers after its PID."""

_HEADER = struct.Struct("!BBH")
_SENDER_INFO = struct.Struct("!IQIII")
_REPORT_BLOCK = struct.Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What one receiver says of one source (RFC 3550 section 6.4.1)."""

    ssrc: int
    fraction_lost: int
    """Lost since the last report, in 1/256."""
    cumulative_lost: int
    """Expected minus received, signed 24 bits: duplicates make it negative."""
    highest_sequence: int
    """Extended by the count of wraps in the upper 16 bits."""
    jitter: int
    """Interarrival jitter in RTP timestamp units."""
    last_sr: int = 0
    """The middle 32 bits of the NTP time of the last sender report; 0 = none received."""
    delay_since_last_sr: int = 0
    """In 1/65536 s."""

    def encode(self) -> bytes:
        lost = self.fraction_lost << 24 | self.cumulative_lost & 0xFFFFFF
        return _REPORT_BLOCK.pack(
            self.ssrc,
            lost,
            self.highest_sequence,
            self.jitter,
            self.last_sr,
            self.delay_since_last_sr,
        )


@dataclass(frozen=True, slots=True)
class SenderReport:
    """RFC 3550 section 6.4.1. `ntp` is the 64-bit NTP time at which `rtp_timestamp` is the RTP clock."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()

    def encode(self) -> bytes:
        info = _SENDER_INFO.pack(self.ssrc, self.ntp, self.rtp_timestamp, self.packet_count, self.octet_count)
        blocks = b"".join(block.encode() for block in self.reports)
        return _packet(len(self.reports), PacketType.SENDER_REPORT, info + blocks)


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RFC 3550 section 6.4.2."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()

    def encode(self) -> bytes:
        blocks = b"".join(block.encode() for block in self.reports)
        return _packet(len(self.reports), PacketType.RECEIVER_REPORT, struct.pack("!I", self.ssrc) + blocks)


@dataclass(frozen=True, slots=True)
class Bye:
    """These sources leave (RFC 3550 section 6.6). `reason`: at most 255 bytes of UTF-8, none if empty."""

    sources: tuple[int, ...]
    reason: str = ""

    def encode(self) -> bytes:
        body = struct.pack(f"!{len(self.sources)}I", *self.sources)
        text = self.reason.encode()
        if len(text) > 255:
            raise ValueError("the reason of a BYE has at most 255 bytes")
        if text:
            body += struct.pack("!B", len(text)) + text
        return _packet(len(self.sources), PacketType.BYE, body + bytes(-len(body) % 4))


@dataclass(frozen=True, slots=True)
class App:
    """An application's own packet (RFC 3550 section 6.7): 4 bytes of name, whole words of data."""

    subtype: int
    ssrc: int
    name: bytes
    data: bytes = b""

    def encode(self) -> bytes:
        if len(self.name) != 4 or len(self.data) % 4:
            raise ValueError("an APP packet has a name of 4 bytes and data in words of 4 bytes")
        return _packet(self.subtype, PacketType.APP, struct.pack("!I", self.ssrc) + self.name + self.data)


@dataclass(frozen=True, slots=True)
class GenericNack:
    """These packets of `media_ssrc` have not arrived (RFC 4585 section 6.2.1); at least one."""

    sender_ssrc: int
    media_ssrc: int
    lost: tuple[int, ...]

    def encode(self) -> bytes:
        if not self.lost:
            raise ValueError("a generic NACK names at least one lost packet")
        pairs: list[list[int]] = []
        for sequence in self.lost:
            after = (sequence - pairs[-1][0]) % 0x10000 if pairs else BITMASK + 1
            if after > BITMASK:
                pairs.append([sequence, 0])
            elif after:
                pairs[-1][1] |= 1 << (after - 1)
        body = struct.pack(
            f"!II{2 * len(pairs)}H", self.sender_ssrc, self.media_ssrc, *chain.from_iterable(pairs)
        )
        return _packet(GENERIC_NACK, PacketType.TRANSPORT_FEEDBACK, body)


Packet: TypeAlias = SenderReport | ReceiverReport | Bye | App | GenericNack


def parse_compound(data: bytes) -> list[Packet]:
    """Read one datagram of RTCP.

    Reduced-size RTCP is accepted, and packets of other types are left out, as RFC 3550 section 6.1
    asks of a receiver.

    Raises:
        ProtocolError: The bytes are no sequence of whole RTCP packets, or the fields of one do not fit.
    """
    packets = []
    for count, kind, body in _split(data):
        parse = _PARSERS.get(kind)
        if parse is None or (kind == PacketType.TRANSPORT_FEEDBACK and count != GENERIC_NACK):
            continue
        try:
            packets.append(parse(count, body))
        except struct.error as error:
            raise ProtocolError(f"RTCP packet of type {kind} is too short for its fields") from error
    return packets


def _packet(count: int, kind: PacketType, body: bytes) -> bytes:
    if not 0 <= count <= 31:
        raise ValueError(f"an RTCP header counts to 31, not {count}")
    return _HEADER.pack(0x80 | count, kind, len(body) // 4) + body


def _split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (count or subtype, packet type, body without padding); the checks of RFC 3550 A.2."""
    if not data:
        raise ProtocolError("empty RTCP datagram")
    at = 0
    while at < len(data):
        if at + _HEADER.size > len(data):
            raise ProtocolError("RTCP datagram ends inside a header")
        first, kind, words = _HEADER.unpack_from(data, at)
        end = at + _HEADER.size + 4 * words
        if first >> 6 != 2:
            raise ProtocolError(f"RTCP version {first >> 6}, not 2")
        if end > len(data):
            raise ProtocolError("RTCP packet is longer than its datagram")
        body = data[at + _HEADER.size : end]
        if first & 0x20:
            padding = body[-1] if body else 0
            # Only the last packet is ever padded: ciphers need the whole datagram in blocks (section 6.4.1).
            if end != len(data) or padding == 0 or padding % 4 or padding > len(body):
                raise ProtocolError("RTCP padding is malformed")
            body = body[:-padding]
        yield first & 0x1F, kind, body
        at = end


def _parse_reports(count: int, body: bytes, at: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for block in range(count):
        ssrc, lost, *rest = _REPORT_BLOCK.unpack_from(body, at + block * _REPORT_BLOCK.size)
        cumulative = (lost & 0xFFFFFF ^ 0x800000) - 0x800000
        blocks.append(ReportBlock(ssrc, lost >> 24, cumulative, *rest))
    return tuple(blocks)


def _parse_sender_report(count: int, body: bytes) -> SenderReport:
    ssrc, ntp, rtp_timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
    reports = _parse_reports(count, body, _SENDER_INFO.size)
    return SenderReport(ssrc, ntp, rtp_timestamp, packets, octets, reports)


def _parse_receiver_report(count: int, body: bytes) -> ReceiverReport:
    (ssrc,) = struct.unpack_from("!I", body)
    return ReceiverReport(ssrc, _parse_reports(count, body, 4))


def _parse_bye(count: int, body: bytes) -> Bye:
    sources = struct.unpack_from(f"!{count}I", body)
    text = body[4 * count :]
    if text and text[0] >= len(text):
        raise ProtocolError("reason of an RTCP BYE is longer than its packet")
    return Bye(sources, text[1 : 1 + text[0]].decode(errors="replace") if text else "")


def _parse_app(subtype: int, body: bytes) -> App:
    ssrc, name = struct.unpack_from("!I4s", body)
    return App(subtype, ssrc, name, body[8:])


def _parse_generic_nack(_fmt: int, body: bytes) -> GenericNack:
    sender_ssrc, media_ssrc, *_ = struct.unpack_from("!IIHH", body)
    lost = tuple(
        (pid + after) % 0x10000
        for pid, blp in struct.iter_unpack("!HH", body[8:])
        for after in range(BITMASK + 1)
        if (blp << 1 | 1) >> after & 1
    )
    return GenericNack(sender_ssrc, media_ssrc, lost)


_PARSERS: dict[int, Callable[[int, bytes], Packet]] = {
    PacketType.SENDER_REPORT: _parse_sender_report,
    PacketType.RECEIVER_REPORT: _parse_receiver_report,
    PacketType.BYE: _parse_bye,
    PacketType.APP: _parse_app,
    PacketType.TRANSPORT_FEEDBACK: _parse_generic_nack,
}


def is_rtcp(data: NDArray[np.uint8], size: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell RTCP from RTP on one port: version 2, and a second byte of 192..223 (RFC 5761 section 4).

    Args:
        data: (n, width) datagrams.
        size: (n,) bytes of each.
    """
    if data.shape[1] < 2:
        return np.zeros(len(data), bool)
    version, kind = data[:, 0] >> 6, data[:, 1]
    answer: NDArray[np.bool_] = (size >= _HEADER.size) & (version == 2) & (kind >= 192) & (kind <= 223)
    return answer


def encode_nacks(
    sender_ssrc: NDArray[np.uint32],
    media_ssrc: NDArray[np.uint32],
    group: NDArray[np.intp],
    lost: NDArray[np.uint16],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Encode one generic NACK for each of g groups, from m lost sequence numbers.

    Args:
        sender_ssrc: (g,) who misses the packets.
        media_ssrc: (g,) whose packets are missing.
        group: (m,) which group each lost packet belongs to.
        lost: (m,) sequence numbers; within a group ascending modulo 2^16. (Any order is encoded
            truthfully, only ascending order is also short.)

    Returns:
        (g, width) datagrams, zero beyond their size, and (g,) sizes: 12 bytes and 4 for each PID, so at
        most 12 + 4 * lost; 0 for a group that has lost nothing.
    """
    order = np.argsort(group, kind="stable")
    group, lost = group[order], lost[order]
    start, blp = _fold(group, lost)
    pid_group = group[start]
    pids = np.bincount(pid_group, minlength=len(media_ssrc))
    position = np.arange(len(start)) - (np.cumsum(pids) - pids)[pid_group]

    words = np.zeros((len(media_ssrc), 3 + int(pids.max(initial=0))), ">u4")
    words[:, 0] = (0x80 | GENERIC_NACK) << 24 | PacketType.TRANSPORT_FEEDBACK << 16 | (2 + pids)
    words[:, 1] = sender_ssrc
    words[:, 2] = media_ssrc
    words[pid_group, 3 + position] = lost[start].astype(np.uint32) << 16 | blp
    words[pids == 0] = 0
    return words.view(np.uint8), np.where(pids > 0, 12 + 4 * pids, 0)


def _fold(group: NDArray[np.intp], lost: NDArray[np.uint16]) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """Find which lost packets become a PID, and the bitmask that each of those carries.

    Taking each first packet that no bitmask covers yet looks sequential. It is a chain of jumps, "from
    a PID to the first packet beyond its mask", and jumps compose: doubling them walks all the chains
    in log2 of the longest. The keys put 2^16 between groups, so that a jump out of a group lands on
    the next group's first packet, which is a PID anyway.
    """
    count = len(lost)
    step = np.ones(count, np.int64) << 16
    same = group[1:] == group[:-1]
    step[1:][same] = (lost[1:] - lost[:-1])[same]  # uint16: the difference wraps as sequence numbers do
    key = np.cumsum(step)
    jump = np.append(np.searchsorted(key, key + BITMASK + 1), count)
    is_pid = np.zeros(count + 1, bool)
    is_pid[:-1] = step == 1 << 16
    while jump[0] < count:
        is_pid[jump[is_pid]] = True
        jump = jump[jump]
    start = np.flatnonzero(is_pid[:-1])
    after = key - np.repeat(key[start], np.diff(start, append=count))
    return start, np.bitwise_or.reduceat((1 << after >> 1).astype(np.uint32), start)


def parse_nacks(
    data: NDArray[np.uint8], size: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.uint32], NDArray[np.uint16]]:
    """Read the datagrams that are one generic NACK each; any others, of whatever bytes, give nothing.

    Args:
        data: (n, width) datagrams.
        size: (n,) bytes of each.

    Returns:
        For each of k lost packets, in the order of the datagrams: the row of its datagram, its media
        SSRC and its sequence number. A sender may name a packet twice.
    """
    rows, pids = _nack_rows(data, size)
    if not len(rows):
        return rows, np.zeros(0, np.uint32), np.zeros(0, np.uint16)
    words = np.ascontiguousarray(data[rows, : 4 * (3 + int(pids.max()))]).view(">u4").astype(np.uint32)
    which, position = np.nonzero(np.arange(words.shape[1] - 3) < pids[:, None])
    pair = words[which, 3 + position]
    covered = (pair << 1 | 1)[:, None] >> np.arange(BITMASK + 1, dtype=np.uint32) & 1
    entry, after = np.nonzero(covered)
    lost = ((pair >> 16)[entry] + after).astype(np.uint16)
    return rows[which[entry]], words[which[entry], 2], lost


def _nack_rows(
    data: NDArray[np.uint8], size: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Find the rows that are well-formed generic NACKs, and how many PID and BLP pairs each has."""
    shortest, width = 16, data.shape[1]
    rows = np.flatnonzero((size >= shortest) & (size <= width))
    if not len(rows):
        return rows, np.zeros(0, np.int64)
    used = size[rows]
    head = data[rows, :4].astype(np.int64)
    padded = head[:, 0] & 0x20 != 0
    padding = np.where(padded, data[rows, used - 1], 0).astype(np.int64)
    good = (
        (head[:, 0] & ~0x20 == 0x80 | GENERIC_NACK)
        & (head[:, 1] == PacketType.TRANSPORT_FEEDBACK)
        & (4 * (1 + (head[:, 2] << 8 | head[:, 3])) == used)
        & (padded == (padding > 0))
        & (padding % 4 == 0)
        & (padding <= used - shortest)
    )
    return rows[good], (used - padding)[good] // 4 - 3
