"""A path that can hold packets back and let them all go at once, as a bloated queue or a radio link does."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class HoldRelay:
    """Forwards between one client and `target`, in a thread; in order, losing nothing."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._near, self._far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._near.bind(("127.0.0.1", 0))
        self._far.connect(target)
        for sock in (self._near, self._far):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.address: tuple[str, int] = self._near.getsockname()
        self._client: tuple[str, int] | None = None
        self._held: list[tuple[socket.socket, bytes]] = []
        self._holding, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def hold(self) -> None:
        self._holding.set()

    def let_go(self) -> None:
        self._holding.clear()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._near.close()
        self._far.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            for sock in select.select([self._near, self._far], [], [], 0.002)[0]:
                self._take(sock)
            if not self._holding.is_set():
                for sock, data in self._held:
                    self._forward(sock, data)
                self._held.clear()

    def _take(self, sock: socket.socket) -> None:
        while True:
            try:
                data, sender = sock.recvfrom(2048)
            except OSError:
                return
            if sock is self._near:
                self._client = sender
            self._held.append((self._far if sock is self._near else self._near, data))

    def _forward(self, sock: socket.socket, data: bytes) -> None:
        if sock is self._far:
            sock.send(data)
        elif self._client:
            sock.sendto(data, self._client)


@contextmanager
def hold_relay(target: tuple[str, int]) -> Iterator[HoldRelay]:
    relay = HoldRelay(target)
    try:
        yield relay
    finally:
        relay.close()
