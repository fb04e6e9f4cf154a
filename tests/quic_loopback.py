"""A node's QUIC side on a real socket of loopback, in the test's own event loop."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from probe.methods.quic_node import QuicNode
from probe.net.quic_listener import QuicListener
from probe.net.udp import open_udp
from tests.quic_parts import CERTIFICATE, KEY, quic_node

PINNED: dict[str, Any] = {"key": KEY, "fingerprint": f"sha256:{CERTIFICATE.fingerprint}", "timeout": 10.0}


class Running:
    """A node on loopback, in this event loop."""

    def __init__(self, node: QuicNode) -> None:
        self.node = node
        self.sock = udp_socket()
        self.address: tuple[str, int] = self.sock.getsockname()
        self.listener = QuicListener(open_udp(sock=self.sock), node)
        self.listener.start()

    def kill(self) -> None:
        """End without a word, as SIGKILL does."""
        self.listener._loop.remove_reader(self.sock.fileno())
        if self.listener._timer is not None:
            self.listener._timer.cancel()
        self.sock.close()

    def freeze(self) -> None:
        """Stop reading, with the port still open: what a dead path looks like."""
        self.listener._loop.remove_reader(self.sock.fileno())
        if self.listener._timer is not None:
            self.listener._timer.cancel()


def udp_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


@asynccontextmanager
async def running(node: QuicNode | None = None) -> AsyncIterator[Running]:
    server = Running(node or quic_node())
    try:
        yield server
    finally:
        if server.sock.fileno() >= 0:
            server.listener.stop()
            server.sock.close()


@contextmanager
def silent_port() -> Iterator[tuple[str, int]]:
    with udp_socket() as sock:
        yield sock.getsockname()


def closed_port() -> tuple[str, int]:
    with udp_socket() as sock:
        return sock.getsockname()  # type: ignore[no-any-return]
