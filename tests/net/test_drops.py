"""Our count of what a socket dropped is the one that the kernel itself puts beside packets (SO_RXQ_OVFL)."""

from __future__ import annotations

import socket
import struct
import sys

import pytest

from probe.net.drops import socket_drops

pytestmark = [pytest.mark.net, pytest.mark.skipif(sys.platform != "linux", reason="Linux counts drops")]

SO_RXQ_OVFL = 40
SENT = 50


def test_two_ways_to_ask_give_one_count() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        receiver.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        assert socket_drops(receiver) == 0
        for _ in range(SENT):
            sender.sendto(bytes(1000), receiver.getsockname())
        dropped = socket_drops(receiver)
        for _ in range(SENT - dropped):
            receiver.recv(1000)
        sender.sendto(b"x", receiver.getsockname())
        _, control, _, _ = receiver.recvmsg(10, socket.CMSG_SPACE(4))
    assert [(level, kind, struct.unpack("=I", data)[0]) for level, kind, data in control] == [
        (socket.SOL_SOCKET, SO_RXQ_OVFL, dropped)
    ]
    assert 0 < dropped < SENT
