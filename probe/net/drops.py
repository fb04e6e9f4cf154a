"""What the kernel dropped at a socket, by its own count."""

from __future__ import annotations

import socket
import struct
import sys

_SO_MEMINFO, _MEMINFO_DROPS = 55, 8


def socket_drops(sock: socket.socket) -> int:
    """Datagrams dropped at this socket's receive buffer so far (Linux; 0 where the system does not tell)."""
    if sys.platform != "linux":
        return 0
    info = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
    return int(struct.unpack_from("=I", info, 4 * _MEMINFO_DROPS)[0])
