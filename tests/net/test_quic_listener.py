from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from probe.net import quic_listener
from probe.net.quic import connect_control
from probe.net.quic_listener import QuicListener, _kernel_stamp
from tests.quic_parts import CERTIFICATE, KEY, quic_node, request

pytestmark = pytest.mark.net

PINNED = f"sha256:{CERTIFICATE.fingerprint}"


def bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def test_a_kernel_stamp_is_found_among_control_messages() -> None:
    stamp = (socket.SOL_SOCKET, 35, struct.pack("@qq", 7, 9))
    assert _kernel_stamp([(socket.SOL_SOCKET, 1, b"x"), stamp]) == 7_000_000_009
    assert _kernel_stamp([(socket.SOL_SOCKET, 35, b"short")]) is None
    assert _kernel_stamp([]) is None


async def test_datagrams_may_be_fed_by_whoever_reads_the_socket() -> None:
    with bound() as sock:
        listener = QuicListener(sock, quic_node())
        listener.start(read=False)
        loop = asyncio.get_running_loop()

        def on_readable() -> None:
            data, address = sock.recvfrom(2048)
            listener.feed(data, address, int(loop.time() * 1e9))

        loop.add_reader(sock.fileno(), on_readable)
        async with connect_control(sock.getsockname(), key=KEY, fingerprint=PINNED) as control:
            await control.open(request())
        loop.remove_reader(sock.fileno())
        listener.stop()


async def test_a_stepped_wall_clock_does_not_reach_quic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic_listener, "_kernel_stamp", lambda control: 4_102_444_800_000_000_000)
    with bound() as sock:
        listener = QuicListener(sock, quic_node())
        listener.start()
        async with connect_control(sock.getsockname(), key=KEY, fingerprint=PINNED) as control:
            await control.open(request())
        listener.stop()


async def test_any_datagram_is_survived() -> None:
    with bound() as sock, bound() as other:
        listener = QuicListener(sock, quic_node())
        listener.start()
        for data in (b"", b"\0", b"\xc0" * 1300, b"\x40" * 50):
            other.sendto(data, sock.getsockname())
        async with connect_control(sock.getsockname(), key=KEY, fingerprint=PINNED) as control:
            await control.open(request())
        listener.stop()
