"""Either loop of a node failing stops the node, with a sentence."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from probe.errors import NotMeasured
from probe.methods.admission import Limits
from probe.methods.quic_server import QuicServer
from probe.net.node import NodeConfig, serve_node
from probe.net.one_socket import OneSocket
from probe.records import Json

pytestmark = pytest.mark.net


def boom(*_: Any, **__: Any) -> None:
    raise RuntimeError("boom")


async def served(datagram: bytes, *, plain: bool) -> None:
    """A node that gets one datagram when it is ready."""

    def send(ready: Json) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(datagram, (ready["host"], ready["port"]))

    config = NodeConfig(("127.0.0.1", 0), b"key", "a test", None, Limits(), plain=plain, ephemeral=True)
    async with asyncio.timeout(30):
        await serve_node(config, send)


@pytest.mark.parametrize("plain", [False, True], ids=["split port", "one socket"])
async def test_a_quic_loop_that_fails(plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuicServer, "receive_datagram", boom)
    with pytest.raises(
        NotMeasured, match=r"^the node's QUIC loop failed, .*: RuntimeError: boom$"
    ) as stopped:
        await served(b"\xc0" + bytes(60), plain=plain)
    assert stopped.value.exit_status == 3


async def test_a_media_loop_on_the_same_socket_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneSocket, "_flush", boom)
    with pytest.raises(NotMeasured, match="RuntimeError: boom"):
        await served(b"\x80" + bytes(60), plain=True)
