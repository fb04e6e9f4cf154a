from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest

from probe.net.address import unpack_address
from probe.net.clock import WallClock
from probe.net.quic import connect_control
from probe.net.quic_datagrams import arrivals
from probe.net.quic_listener import QuicListener
from probe.net.udp import UdpSocket, open_udp
from tests.quic_parts import CERTIFICATE, KEY, quic_node, request

pytestmark = pytest.mark.net

PINNED = f"sha256:{CERTIFICATE.fingerprint}"


def bound() -> closing[UdpSocket]:
    return closing(open_udp(bind=("127.0.0.1", 0)))


async def test_datagrams_may_be_fed_by_whoever_reads_the_socket() -> None:
    with bound() as sock:
        listener = QuicListener(sock, quic_node())
        listener.start(read=False)
        loop = asyncio.get_running_loop()

        def on_readable() -> None:
            for data, address, at_ns, _ in arrivals(sock):
                listener.feed(data, unpack_address(address), at_ns)

        loop.add_reader(sock.fileno(), on_readable)
        async with connect_control(sock.local(), key=KEY, fingerprint=PINNED) as control:
            await control.open(request())
        loop.remove_reader(sock.fileno())
        listener.stop()


async def test_a_stepped_wall_clock_does_not_reach_quic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WallClock, "look", lambda self: self.offset_ns - 4_102_444_800_000_000_000)
    with bound() as sock:
        listener = QuicListener(sock, quic_node())
        listener.start()
        async with connect_control(sock.local(), key=KEY, fingerprint=PINNED) as control:
            await control.open(request())
        listener.stop()


async def test_any_datagram_is_survived() -> None:
    with bound() as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        listener = QuicListener(sock, quic_node())
        listener.start()
        for data in (b"", b"\0", b"\xc0" * 1300, b"\x40" * 50):
            other.sendto(data, sock.local())
        async with connect_control(sock.local(), key=KEY, fingerprint=PINNED) as control:
            await control.open(request())
        listener.stop()
