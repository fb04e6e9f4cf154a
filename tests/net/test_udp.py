"""Both carriers over loopback: what goes in comes out, with the kernel's times where there are any."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from numpy.typing import NDArray

from probe.methods.batch import Batch, join, no_address
from probe.net.address import unpack_address
from probe.net.transmit import stamping_at
from probe.net.udp import MEDIA_SLOTS, SAMPLED, MmsgSocket, UdpSocket, open_udp

pytestmark = pytest.mark.net
linux = pytest.mark.skipif(sys.platform != "linux", reason="sendmmsg and transmit stamps are Linux")


def packets(sizes: list[int], *, tags: bool = False) -> Batch:
    """Datagrams of these sizes; each starts with its own number."""
    count, width = len(sizes), (max(sizes) + 7) & ~7
    data = np.zeros((count, width), np.uint8)
    for row, size in enumerate(sizes):
        data[row, :size] = 1 + (row + np.arange(size)) % 255
    tag = np.arange(count) * 10 if tags else None
    return Batch(data, np.array(sizes), np.zeros(count, np.int64), no_address(count), tag=tag)


def received(sock: UdpSocket, count: int) -> Batch:
    """`count` datagrams, copied out of the socket's memory."""
    got: list[Batch] = []
    deadline = time.monotonic() + 10
    while sum(len(batch.size) for batch in got) < count:
        assert time.monotonic() < deadline
        batch = sock.receive()
        if len(batch.size):
            got.append(batch.take(np.arange(len(batch.size))))
    return join(got)._replace(kernel_stamped=all(batch.kernel_stamped for batch in got))


@pytest.fixture(params=["mmsg", "plain"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[UdpSocket, UdpSocket]]:
    """A bound socket and one connected to it."""
    plain = request.param == "plain"
    with (
        closing(open_udp(bind=("127.0.0.1", 0), plain=plain, slots=MEDIA_SLOTS)) as bound,
        closing(open_udp(peer=bound.local(), plain=plain)) as connected,
    ):
        yield bound, connected


@pytest.mark.parametrize("sizes", [[100], [60, 1200, 72], [200] * 64, [72 + 8 * (n % 9) for n in range(600)]])
def test_datagrams_go_there_and_back_whole(pair: tuple[UdpSocket, UdpSocket], sizes: list[int]) -> None:
    bound, connected = pair
    sent = packets(sizes)
    before = time.monotonic_ns()
    for start in range(0, len(sizes), 200):
        part = sent.take(slice(start, start + 200))
        assert connected.send(part) == len(part.size)
        got = received(bound, len(part.size))
        assert got.size.tolist() == part.size.tolist()
        width = got.data.shape[1]
        assert np.array_equal(got.data, part.data[:, :width])  # zeros beyond each size
        assert ((got.time_ns >= before - 1_000_000) & (got.time_ns <= time.monotonic_ns() + 1_000_000)).all()
        assert {unpack_address(address) for address in got.address} == {connected.local()}
        assert bound.send(got) == len(part.size)
        back = received(connected, len(part.size))
        assert np.array_equal(back.data, got.data)
        assert not connected.failed


def test_a_shorter_datagram_in_a_used_slot_is_followed_by_zeros(pair: tuple[UdpSocket, UdpSocket]) -> None:
    bound, connected = pair
    connected.send(packets([1000] * 8))
    received(bound, 8)
    connected.send(packets([72, 500, 100]))
    got = received(bound, 3)
    for row, size in enumerate((72, 500, 100)):
        assert got.data[row, :size].all()
        assert not got.data[row, size:].any()


@linux
def test_arrivals_are_stamped_by_the_kernel(pair: tuple[UdpSocket, UdpSocket]) -> None:
    bound, connected = pair
    connected.send(packets([100] * 3))
    received(bound, 3)
    time.sleep(0.05)  # the kernel switches its stamps on in the background
    before = time.monotonic_ns()
    connected.send(packets([100] * 6))
    after = time.monotonic_ns()
    time.sleep(0.1)
    got = received(bound, 6)
    assert got.kernel_stamped == (bound.carrier == "sendmmsg")
    if got.kernel_stamped:
        assert (np.diff(got.time_ns) >= 0).all()
        assert before - 100_000 <= got.time_ns[0] <= got.time_ns[-1] <= after + 100_000


@linux
@pytest.mark.parametrize("count", [1, 3, 5, 64, 300])
def test_every_departure_is_told_by_its_tag(count: int) -> None:
    with closing(open_udp(bind=("127.0.0.1", 0))) as bound, closing(open_udp(peer=bound.local())) as sock:
        assert sock.stamp(1)
        for _ in range(3):
            before = time.monotonic_ns()
            sock.send(packets([100] * count, tags=True))
            tags, times = told(sock)
            assert tags.tolist() == list(range(0, 10 * count, 10))
            assert (times >= before).all()
            assert (times <= time.monotonic_ns()).all()
            assert sock.unstamped == 0
        assert sock.transmitted() is None


def told(sock: UdpSocket) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    answer = sock.transmitted()
    assert answer is not None
    return answer


@linux
def test_untagged_datagrams_keep_the_count() -> None:
    with closing(open_udp(bind=("127.0.0.1", 0))) as bound, closing(open_udp(peer=bound.local())) as sock:
        sock.stamp(1)
        sock.send(packets([100] * 7))
        sock.send(packets([100] * 2, tags=True))
        tags, _ = told(sock)
        assert tags.tolist() == [0, 10]


@linux
def test_one_in_ten_is_stamped_when_there_are_too_many() -> None:
    with closing(open_udp(bind=("127.0.0.1", 0))) as bound, closing(open_udp(peer=bound.local())) as sock:
        assert sock.stamp(1)
        sock.send(packets([100] * 7, tags=True))
        assert sock.stamp(SAMPLED)
        sock.send(packets([100] * 64, tags=True))
        tags, _ = told(sock)
        assert tags.tolist() == [*range(0, 70, 10), *range(0, 640, 100)]
        assert sock.stamp(1)
        sock.send(packets([100] * 3, tags=True))
        assert told(sock)[0].tolist() == [0, 10, 20]
        sock.stamp(0)
        sock.send(packets([100] * 3, tags=True))
        assert sock.transmitted() is None


@linux
def test_a_refusal_does_not_shift_the_stamps() -> None:
    with closing(open_udp(bind=("127.0.0.1", 0))) as bound:
        sock = open_udp(peer=bound.local())
    with closing(sock):
        sock.stamp(1)
        for count in (1, 3, 9, 2, 20):
            assert sock.send(packets([100] * count, tags=True)) == count
            tags, _ = told(sock)
            assert set(tags.tolist()) <= set(range(0, 10 * count, 10))
            assert tags[-1] == 10 * (count - 1)
        assert sock.refused > 0


def test_a_carrier_without_stamps_says_so() -> None:
    with closing(open_udp(bind=("127.0.0.1", 0), plain=True)) as sock:
        assert not sock.stamp(1)
        assert (sock.stamped_every, sock.unstamped, sock.transmitted()) == (0, 0, None)


def test_what_cannot_be_sent_is_named(pair: tuple[UdpSocket, UdpSocket]) -> None:
    bound, connected = pair
    batch = packets([100] * 6)
    too_long = np.array([100, 70_000, 100, 100, 70_000, 100])
    wide = Batch(np.zeros((6, 70_000), np.uint8), too_long, batch.time_ns, batch.address)
    assert connected.send(wide) == 4
    assert connected.failed == [1, 4]
    assert len(received(bound, 4).size) == 4
    assert connected.send(wide.take(slice(0, 3))) == 2
    assert connected.failed == [1]


@linux
def test_drops_are_counted_by_the_kernel() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as raw:
        raw.bind(("127.0.0.1", 0))
        with closing(open_udp(sock=raw.dup())) as bound, closing(open_udp(peer=raw.getsockname())) as sock:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.send(packets([1000] * 50))
            assert isinstance(bound, MmsgSocket)
            arrived = len(bound.receive().size)
            assert arrived < 50
            assert bound.dropped() == 50 - arrived


def test_over_ipv6() -> None:
    try:
        bound = open_udp(bind=("::1", 0))
    except Exception as error:  # noqa: BLE001
        pytest.skip(f"no IPv6 on loopback here: {error}")
    with closing(bound), closing(open_udp(peer=bound.local())) as sock:
        stamped = sock.stamp(1)
        for count in (2, 9):
            sock.send(packets([100] * count, tags=True))
            got = received(bound, count)
            assert {unpack_address(address) for address in got.address} == {sock.local()}
            assert bound.send(got) == count
            received(sock, count)
            if stamped:
                assert told(sock)[0].tolist() == list(range(0, 10 * count, 10))


@linux
def test_arrivals_are_never_put_together() -> None:
    """UDP_GRO (udp(7), 104) would give several datagrams one stamp."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as raw:
        raw.bind(("127.0.0.1", 0))
        with closing(open_udp(sock=raw.dup())):
            assert raw.getsockopt(socket.IPPROTO_UDP, 104) == 0


def test_up_to_a_rate_every_departure_is_stamped() -> None:
    assert [stamping_at(rate_pps) for rate_pps in (0, 50, 150_000, 150_001)] == [0, 1, 1, SAMPLED]
