"""What QUIC is told of when its datagrams came."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from probe.net.clock import Waiter, WallClock, monotonic_ns
from probe.net.quic_datagrams import Arrival, arrivals, as_batch
from probe.net.udp import UdpSocket, open_udp

pytestmark = pytest.mark.net
linux = pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps")
HOUR_NS = 3_600_000_000_000
NOBODY = ("", 0)


@pytest.fixture
def sockets() -> Iterator[tuple[UdpSocket, UdpSocket]]:
    """A bound socket and one that is connected to it."""
    with closing(open_udp(bind=("127.0.0.1", 0))) as bound, closing(open_udp(peer=bound.local())) as peer:
        yield bound, peer


def next_arrivals(sock: UdpSocket) -> list[Arrival]:
    assert Waiter(sock.fileno()).wait(monotonic_ns() + 5_000_000_000)
    return list(arrivals(sock))


def test_datagrams_of_any_length_go_to_whom_they_are_addressed(sockets: tuple[UdpSocket, UdpSocket]) -> None:
    bound, peer = sockets
    peer.send(as_batch([(b"hello", NOBODY), (b"", NOBODY), (b"x" * 1252, NOBODY)], connected=True))
    came = next_arrivals(bound)
    assert [arrival.data for arrival in came] == [b"hello", b"", b"x" * 1252]
    assert bound.send(as_batch([(b"back", peer.local())], connected=False)) == 1
    assert [arrival.data for arrival in next_arrivals(peer)] == [b"back"]


@linux
def test_a_stamp_is_as_old_as_its_packet(sockets: tuple[UdpSocket, UdpSocket]) -> None:
    """A process that stood still for a second reads stamps that are a second old: they hold."""
    bound, peer = sockets
    before_ns = monotonic_ns()
    peer.send(as_batch([(b"x", NOBODY)], connected=True))
    after_ns = monotonic_ns()
    Waiter().wait(after_ns + 700_000_000)
    (arrival,) = next_arrivals(bound)
    assert arrival.stamped
    assert before_ns - 100_000 <= arrival.at_ns <= after_ns + 100_000


@linux
@pytest.mark.parametrize("step_ns", [-HOUR_NS, -1_000_000, 1_000_000, HOUR_NS])
def test_a_stamp_from_before_a_step_is_not_believed(
    sockets: tuple[UdpSocket, UdpSocket], step_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound, peer = sockets
    look = WallClock.look

    def stepped(wall: WallClock) -> int:
        monkeypatch.setattr(WallClock, "look", look)
        wall.offset_ns += step_ns
        return wall.offset_ns

    before_ns = monotonic_ns()
    peer.send(as_batch([(b"x", NOBODY)], connected=True))
    monkeypatch.setattr(WallClock, "look", stepped)
    (arrival,) = next_arrivals(bound)
    assert not arrival.stamped
    assert before_ns <= arrival.at_ns <= monotonic_ns()


def test_tags_go_with_the_datagrams() -> None:
    batch = as_batch([(b"a", NOBODY), (b"bc", NOBODY)], np.array([7, -1]), connected=True)
    assert batch.tag is not None
    assert (batch.tag.tolist(), batch.size.tolist()) == ([7, -1], [1, 2])
