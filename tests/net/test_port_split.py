"""One port, two loops: the kernel splits by the first byte (RFC 9443), and each loop looks at it again."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from probe.net.port_split import bind_split, is_media
from tests.media_loopback import Session, loopback

pytestmark = pytest.mark.net


@pytest.mark.skipif(sys.platform != "linux", reason="classic BPF on a port is Linux")
def test_every_first_byte_goes_to_its_loop() -> None:
    split = bind_split(("127.0.0.1", 0))
    assert split is not None
    quic, media = split
    with quic, media, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for first in range(256):
            sender.sendto(bytes([first, 0]), quic.getsockname())
        by_quic, by_media = taken(quic), taken(media)
    assert by_media == [*range(4), *range(128, 192)] == [n for n in range(256) if is_media(n)]
    assert by_quic == [*range(4, 128), *range(192, 256)]


def taken(sock: socket.socket) -> list[int]:
    """The first bytes of all that lies in a socket."""
    found = []
    sock.settimeout(0.2)
    try:
        while True:
            found.append(sock.recv(16)[0])
    except TimeoutError:
        pass
    return found


@pytest.mark.parametrize("plain", [False, True])
async def test_what_is_not_the_media_loops_is_a_stray(plain: bool) -> None:
    async with loopback(plain=plain) as node:

        async def during(session: Session) -> None:
            await session.reaches(5)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for first in (4, 63, 64, 127, 192, 255):
                    sender.sendto(bytes([first]) + bytes(99), node.address)
                sender.sendto(b"", node.address)
                sender.sendto(bytes([128, 96]) + bytes(98), node.address)  # RTP of nobody's session
                sender.sendto(bytes([128, 200]) + bytes(98), node.address)  # RTCP that nobody asked for
            await asyncio.sleep(0)

        session = await node.session(seconds=0.5, during=during)
    assert session.report["strays"] == 9
    assert session.lost == 0
    assert session.report["corrupt"] == 0
