"""One frame of a capture, field by field, as scapy reads it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from probe.errors import ConfigError
from probe.store.captures import open_capture
from probe.store.foreign_files import kind_of
from probe.wire.datagrams import (
    ETHERNET,
    IP_AT,
    LINUX_SLL,
    LINUX_SLL2,
    LOOP,
    NULL,
    Datagrams,
    read_datagrams,
)
from probe.wire.rtp_capture import told_apart

_LINKS = {
    ETHERNET: "Ether",
    LINUX_SLL: "CookedLinux",
    LINUX_SLL2: "CookedLinuxV2",
    NULL: "Loopback",
    LOOP: "Loopback",
}


def explain_frame(source: str, number: int) -> str:
    """Frame `number`, counted from 1 as other programs do. Raises ConfigError when there is none."""
    if kind_of(source) not in ("pcap", "pcapng"):
        raise ConfigError(f"--explain shows a frame of a capture, and {source} is none")
    capture = open_capture(Path(source))
    frames = capture.frames
    if number > len(frames):
        raise ConfigError(f"--explain {number}: {source} has {len(frames)} frames, counted from 1")
    row = number - 1
    at, captured = int(frames.at[row]), int(frames.captured[row])
    frame = capture.data[at : at + captured].tobytes()
    packet = _link(int(frames.link[row]), frame)
    datagrams, _ = read_datagrams(capture.data, frames)
    _as_rtp(packet, _is_rtp(capture.data, datagrams, row))
    head = f"frame {number} of {len(frames)}: {captured} of {int(frames.size[row])} bytes captured"
    return f"{head}\n{packet.show(dump=True)}"


def _link(link: int, frame: bytes) -> Any:
    inet, inet6, l2 = (importlib.import_module(f"scapy.layers.{name}") for name in ("inet", "inet6", "l2"))
    if link in _LINKS:
        return getattr(l2, _LINKS[link])(frame)
    if link in IP_AT and frame:
        return (inet6.IPv6 if frame[0] >> 4 == 6 else inet.IP)(frame)
    raise ConfigError(f"the frame is of link type {link}, which is not known here")


def _is_rtp(data: Any, datagrams: Datagrams, row: int) -> bool:
    rows, _, _ = told_apart(data, datagrams)
    return row in datagrams.frame[rows.row]


def _as_rtp(packet: Any, is_rtp: bool) -> None:
    """Scapy knows no port of RTP's; what begins as it does is shown as it."""
    from scapy.layers.inet import UDP
    from scapy.layers.rtp import RTP

    if is_rtp and packet.haslayer(UDP):
        udp = packet[UDP]
        payload = bytes(udp.payload)
        udp.remove_payload()
        udp.add_payload(RTP(payload))
