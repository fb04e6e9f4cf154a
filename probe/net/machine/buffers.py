"""What this system really gives a socket: buffers, and the count of what they could not hold."""

from __future__ import annotations

import socket
import sys
from contextlib import closing, suppress
from pathlib import Path

from probe.net.drops import socket_drops
from probe.net.udp import BUFFER_BYTES, enlarge_buffers
from probe.records import Json

_SENT, _BYTES, _SMALL = 64, 1000, 4096


def buffer_facts() -> Json:
    """Bytes that a socket asks for and gets, the system's limit, and whether the kernel counts drops.

    `drops_sent` datagrams are sent into a small buffer that nobody reads: each must be found in it, or counted.
    """
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        enlarge_buffers(sock)
        # Linux keeps half of what it says for its own bookkeeping (socket(7)).
        share = 2 if sys.platform == "linux" else 1
        receive = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // share
        send = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // share
    return {
        "asked_bytes": BUFFER_BYTES,
        "receive_bytes": receive,
        "send_bytes": send,
        "rmem_max": _setting("net/core/rmem_max"),
        "wmem_max": _setting("net/core/wmem_max"),
        "drops_sent": _SENT,
        "drops_found": _drops_found(),
    }


def _drops_found() -> int:
    """Datagrams of `_SENT` that were read from an overflown buffer or counted as dropped there."""
    with (
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver,
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        for _ in range(_SENT):
            sender.sendto(bytes(_BYTES), receiver.getsockname())
        read = 0
        with suppress(BlockingIOError):
            while True:
                receiver.recv(_BYTES)
                read += 1
        return read + socket_drops(receiver)


def _setting(name: str) -> int | None:
    with suppress(OSError, ValueError):
        return int(Path("/proc/sys", name).read_text())
    return None
