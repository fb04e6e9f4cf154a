"""The sender's loop with a client that only counts (named so: the real one is in test_media_session.py)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest

from probe.methods.batch import Batch, empty_batch
from probe.methods.media_client import MediaClient
from probe.net.clock import monotonic_ns
from probe.net.job import PROGRESS
from probe.net.media_loop import MediaLoop
from probe.net.plain import PlainSocket

HOUR_NS = 3_600_000_000_000
ROUNDS = 100


class CountingClient:
    """Wants `arrivals` datagrams; its next packet is always due in so long."""

    start_ns = sent = outstanding = 0

    def __init__(self, arrivals: int, due_in_ns: int, progress: np.ndarray[Any, Any]) -> None:
        self.received = self.rounds = 0
        self._arrivals, self._due_in_ns, self._progress = arrivals, due_in_ns, progress

    @property
    def all_sent(self) -> bool:
        self.rounds += 1
        if self.rounds > ROUNDS:
            self._progress["stop"] = 1
        return self.received >= self._arrivals

    def next_time_ns(self) -> int:
        return monotonic_ns() + self._due_in_ns

    def receive(self, batch: Batch) -> None:
        self.received += len(batch.size)

    def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
        return empty_batch()

    def on_leaving(self, now_ns: int) -> None: ...


class CountingSocket(PlainSocket):
    """A plain socket that knows how often it was looked at."""

    looks = 0

    def receive(self) -> Batch:
        self.looks += 1
        return super().receive()


@pytest.fixture
def pair() -> Iterator[tuple[CountingSocket, socket.socket]]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
    ):
        mine.bind(("127.0.0.1", 0))
        peer.connect(mine.getsockname())
        mine.setblocking(False)
        yield CountingSocket(mine, connected=True, slots=16), peer


def loop_of(client: CountingClient, sock: PlainSocket, progress: np.ndarray[Any, Any]) -> MediaLoop:
    return MediaLoop(cast("MediaClient", client), sock, progress, one_way=False, nack=False, rate_pps=50)


def test_a_loop_that_never_rests_still_takes_arrivals(pair: tuple[CountingSocket, socket.socket]) -> None:
    sock, peer = pair
    progress = np.zeros(1, PROGRESS)
    client = CountingClient(3, -1, progress)
    loop = loop_of(client, sock, progress)
    loop._tick_ns = -HOUR_NS  # it is behind its schedule all the time
    for _ in range(3):
        peer.send(b"\x80" * 60)
    loop.run()
    assert client.received == 3
    assert progress["received"][0] == 3


def test_without_kernel_stamps_only_what_is_said_to_be_there_is_read(
    pair: tuple[CountingSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look in vain, just after a packet left, would keep the processor from whoever is to answer it."""
    sock, peer = pair
    progress = np.zeros(1, PROGRESS)
    client = CountingClient(1, HOUR_NS, progress)
    loop = loop_of(client, sock, progress)
    waits = iter([False] * 5 + [True])
    looks_before = []

    def wait(*_: object, **__: object) -> bool:
        looks_before.append(sock.looks)
        readable = next(waits)
        if readable:
            peer.send(b"\x80" * 60)
        return readable

    monkeypatch.setattr(loop._alarm, "wait", wait)
    loop.run()
    assert client.received == 1
    assert looks_before == [1] * 6  # once before its first rest
    assert sock.looks == 2
