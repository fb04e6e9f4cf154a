"""Captures for the tests: frames that scapy built, in files that scapy or these few lines wrote."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import PcapWriter

Frame = tuple[int, bytes]
"""Nanoseconds since 1970, and its bytes."""


def data_of(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8)


def pcap(frames: Iterable[Frame], link: int = 1, *, order: str = "<", nano: bool = True) -> bytes:
    """As scapy writes it."""
    sink = BytesIO()
    writer = PcapWriter(sink, linktype=link or 1, endianness=order, nano=nano)
    writer.write_header(None)
    for time_ns, frame in frames:
        seconds, rest = divmod(time_ns, 10**9)
        writer.write_packet(frame, sec=seconds, usec=rest if nano else rest // 1000, caplen=len(frame))
    content = sink.getvalue()
    return content[:20] + struct.pack(f"{order}I", link) + content[24:]  # scapy takes 0 for not given


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block of any kind."""
    body += bytes(-len(body) % 4)
    size = 12 + len(body)
    return struct.pack(f"{order}II", kind, size) + body + struct.pack(f"{order}I", size)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(
    link: int = 1, order: str = "<", options: Sequence[tuple[int, bytes]] = (), snap: int = 0
) -> bytes:
    body = struct.pack(f"{order}HHI", link, 0, snap)
    for code, value in options:
        body += struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)
    return block(1, body + (bytes(4) if options else b""), order)


def enhanced(frame: bytes, stamp: int, order: str = "<", number: int = 0) -> bytes:
    head = struct.pack(f"{order}IIIII", number, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + frame, order)


def udp(payload: bytes, source: int = 40000, destination: int = 5004, **ip: Any) -> bytes:
    """An Ethernet frame."""
    addresses = {"src": "192.0.2.1", "dst": "192.0.2.2"} | ip
    packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(**addresses)
    return bytes(packet / UDP(sport=source, dport=destination) / payload)


def rtp(seq: int, stamp: int, ssrc: int = 0x1234, payload_type: int = 0, size: int = 160) -> bytes:
    return struct.pack("!BBHII", 0x80, payload_type, seq % 65536, stamp % 2**32, ssrc) + bytes(size)


def voice(
    arrivals_ms: Sequence[float | None], first: int = 100, ssrc: int = 0x1234, **frame: Any
) -> list[Frame]:
    """Frames of a PCMU stream, packets 20 ms apart; None is lost. In order of arrival."""
    found = [
        (1_700_000_000_000_000_000 + round(at * 1e6), udp(rtp(first + number, 160 * number, ssrc), **frame))
        for number, at in enumerate(arrivals_ms)
        if at is not None
    ]
    return sorted(found, key=lambda one: one[0])


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
