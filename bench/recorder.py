"""Recorders that disturb nothing: the kernel's own queues, with its arrival stamps, read after the run."""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.comparison import Skipped
from probe.wire import media, rtp

QUEUE_BYTES = 1 << 29
SNAP_BYTES = 96
"""Of each datagram: enough for all our fields."""

_SO_TIMESTAMPNS, _SO_RCVBUFFORCE, _SO_MEMINFO = 35, 33, 55
_SO_ATTACH_FILTER = 26
_MEMINFO_DROPS = 8
_IPV4, _UDP_IP_HEADERS = 0x0800, 28


SSRC_AT = 8
"""RFC 3550 5.1."""
INDEX_AT = rtp.HEADER_BYTES + int(media.PAYLOAD.fields["index"][1]) if media.PAYLOAD.fields else 0


class Recording(NamedTuple):
    """Datagrams in order of arrival."""

    time_ns: NDArray[np.int64]
    """(n,) the kernel's stamps, CLOCK_REALTIME."""
    data: NDArray[np.uint8]
    """(n, SNAP_BYTES) the UDP payload's first bytes."""


def wall_minus_monotonic_ns() -> int:
    """CLOCK_REALTIME minus CLOCK_MONOTONIC, from the narrowest of many readings."""
    readings = []
    for _ in range(101):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        readings.append((after - before, wall - (before + after) // 2))
    return min(readings)[1]


def sink(queue_bytes: int = QUEUE_BYTES) -> socket.socket:
    """A bound loopback socket that nobody reads until the run is over."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    enlarge(sock, queue_bytes)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return sock


def capture(port: int) -> socket.socket:
    """A queue of all datagrams that arrive at a UDP port of the loopback interface, beside their receiver.

    Raises Skipped without the privilege to capture.
    """
    try:
        # Protocol 0 until the filter is in place: nothing unfiltered gets in.
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    except PermissionError:
        raise Skipped("capturing on loopback needs root (CAP_NET_RAW)") from None
    filters = b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (0x30, 0, 0, 9),  # the IPv4 header's protocol
            (0x15, 0, 5, 17),  # UDP
            (0x28, 0, 0, 22),  # its destination port
            (0x15, 0, 3, port),
            (0x20, 0, 0, 0xFFFFF004),  # SKF_AD_PKTTYPE: loopback shows each packet going out, then coming in
            (0x15, 0, 1, 0),  # PACKET_HOST
            (0x06, 0, 0, _UDP_IP_HEADERS + SNAP_BYTES),
            (0x06, 0, 0, 0),
        )
    )
    memory = ctypes.create_string_buffer(filters)
    program = struct.pack("@HP", len(filters) // 8, ctypes.addressof(memory))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    enlarge(sock, QUEUE_BYTES)
    sock.bind(("lo", _IPV4))
    return sock


def recorded(sock: socket.socket) -> Recording:
    """Everything in the queue of a `sink` or `capture`."""
    head = _UDP_IP_HEADERS if sock.family == socket.AF_PACKET else 0
    times: list[int] = []
    parts: list[bytes] = []
    while True:
        try:
            data, control, _, _ = sock.recvmsg(head + SNAP_BYTES, 64, socket.MSG_DONTWAIT)
        except BlockingIOError:
            break
        seconds, nanoseconds = struct.unpack("@qq", control[0][2])
        times.append(seconds * 1_000_000_000 + nanoseconds)
        parts.append(data[head:].ljust(SNAP_BYTES, b"\0"))
    matrix = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, SNAP_BYTES)
    return Recording(np.array(times, np.int64), matrix)


def rtp_field(data: NDArray[np.uint8], offset: int) -> NDArray[np.uint32]:
    """The 32-bit number at `offset` of every row."""
    number: NDArray[np.uint32] = np.ascontiguousarray(data[:, offset : offset + 4]).view(">u4")[:, 0]
    return number


def dropped(sock: socket.socket) -> int:
    """Datagrams that found the queue full. With a full, unread queue: every arrival counts itself."""
    info = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
    return int(struct.unpack_from("=I", info, 4 * _MEMINFO_DROPS)[0])


def enlarge(sock: socket.socket, size: int) -> None:
    """Give a socket a receive queue of this size, or the largest that we may."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
