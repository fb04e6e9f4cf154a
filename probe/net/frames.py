"""The Ethernet frames of a device, in batches."""

from __future__ import annotations

import socket

from probe.net.mmsg import MmsgSocket
from probe.net.udp import RECEIVE_SLOTS, enlarge_buffers

_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23


def raw_socket(device: str) -> socket.socket:
    """A socket that sees all frames which arrive at a device of the present network, and sends through it."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    sock.bind((device, _ETH_P_ALL))
    return sock


def device_frames(sock: socket.socket) -> MmsgSocket:
    """The frames of a `raw_socket`, many a system call, with the kernel's arrival times."""
    sock.setblocking(False)
    enlarge_buffers(sock)
    return MmsgSocket(sock, connected=True, slots=RECEIVE_SLOTS)
