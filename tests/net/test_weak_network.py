"""A program behind a weak network: real sockets and processes, in networks of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from probe.errors import NotMeasured
from probe.impairment.chain import Path
from probe.impairment.profile import Impairment, Loss
from probe.net.weak_network import MODEL, WeakCounters, WeakNetwork
from probe.net.weak_space import HOST4, HOST6
from tests.impairment.releases import release_of
from tests.networks import own_networks

__all__ = ["own_networks"]

pytestmark = [pytest.mark.net, pytest.mark.usefixtures("own_networks")]

MS = 1_000_000
PATIENCE = 20
CLEAN = Impairment()
LOOPBACK = {HOST4: "127.0.0.1", HOST6: "::1"}


class Echo(asyncio.DatagramProtocol):
    """Sends datagrams back, and keeps them."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.got.append(data)
        self._transport.sendto(data, addr)


@asynccontextmanager
async def udp_echo(host: str) -> AsyncIterator[tuple[Echo, int]]:
    transport, echo = await asyncio.get_running_loop().create_datagram_endpoint(Echo, (host, 0))
    try:
        yield echo, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def tcp_echo(host: str) -> AsyncIterator[int]:
    """Answers with what was said, once nothing more is said."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, host, 0) as server:
        yield server.sockets[0].getsockname()[1]


async def behind(
    up: Impairment, down: Impairment, script: str, *arguments: Any, seed: int = 1
) -> tuple[Any, WeakCounters]:
    """What a script in Python prints, as JSON, behind a weak network; and the counters."""
    async with asyncio.timeout(PATIENCE), WeakNetwork.start(up, down, seed, by_model=True) as network:
        assert network.carrier == MODEL
        with tempfile.TemporaryFile() as said:
            command = [sys.executable, "-S", "-c", "import socket, json\n" + script, *map(str, arguments)]
            program = await network.program(command, dict(os.environ), said.fileno())
            try:
                assert await program.ended() == 0
            finally:
                await program.stop()
            said.seek(0)
            return json.loads(said.read()), await network.counters()


REACH = """
import sys
host, tcp, udp, closed = sys.argv[1], *map(int, sys.argv[2:])
said = {}
family = socket.AF_INET6 if ":" in host else socket.AF_INET
with socket.socket(family) as sock:
    sock.connect((host, tcp))
    content = bytes(range(256)) * 2000
    sock.sendall(content)
    sock.shutdown(socket.SHUT_WR)
    said["stream"] = b"".join(iter(lambda: sock.recv(1 << 16), b"")) == content
with socket.socket(family, socket.SOCK_DGRAM) as sock:
    sock.connect((host, udp))
    sock.settimeout(10)
    for size in (1, 1400, 6000):
        sock.send(bytes(size))
        said[size] = len(sock.recv(65536))
with socket.socket(family) as sock:
    said["refused"] = sock.connect_ex((host, closed))
with socket.socket(family, socket.SOCK_DGRAM) as sock:
    sock.connect((host, closed))
    sock.settimeout(0.2)
    said["unreachable"] = 0
    for _ in range(20):
        try:
            sock.send(b"?")
            sock.recv(1)
        except TimeoutError:
            pass
        except OSError as error:
            said["unreachable"] = error.errno
            break
print(json.dumps(said))
"""


@pytest.mark.parametrize("host", [HOST4, HOST6])
async def test_tcp_and_udp_reach_the_machine_and_are_refused_by_it(host: str) -> None:
    import errno

    loopback = LOOPBACK[host]
    async with tcp_echo(loopback) as tcp, udp_echo(loopback) as (_, udp):
        async with tcp_echo(loopback) as closed:
            pass
        said, counters = await behind(CLEAN, CLEAN, REACH, host, tcp, udp, closed)
    assert said == {
        "stream": True,
        "1": 1,
        "1400": 1400,
        "6000": 6000,
        "refused": errno.ECONNREFUSED,
        "unreachable": errno.ECONNREFUSED,
    }
    pump = counters.pump
    assert (pump.overrun, pump.unsent, pump.socket_dropped) == (0, 0, 0)
    assert counters.up.link.lost == counters.down.link.lost == 0


NUMBERED = """
import sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.connect((sys.argv[1], int(sys.argv[2])))
    sock.settimeout(0.5)
    took = {}
    for number in range(int(sys.argv[3])):
        took[number] = -time.monotonic()
        sock.send(number.to_bytes(2, "big") + bytes(98))
        time.sleep(0.0005)
    back = []
    try:
        while True:
            number = int.from_bytes(sock.recv(2048)[:2], "big")
            back.append(number)
            took[number] += time.monotonic()
    except TimeoutError:
        pass
print(json.dumps([back, min(took[number] for number in back)]))
"""


def survivors(impairments: Sequence[Impairment], way: str, seed: int, packets: int) -> list[int]:
    """Which packets pass, by the model alone: fates belong to a packet's number."""
    path = Path.of([impairments[0]], [impairments[1]], seed)
    release = release_of(
        getattr(path, way), np.arange(packets, dtype=np.int64) * MS, np.full(packets, 100, np.int64)
    )
    return np.flatnonzero(release >= 0).tolist()


async def test_packets_meet_the_fates_that_the_model_has_for_their_numbers() -> None:
    up, down = Impairment(20 * MS, loss=Loss(0.2, 3)), Impairment(10 * MS, loss=Loss(0.1))
    packets, seed = 300, 7
    async with udp_echo("127.0.0.1") as (echo, port):
        (back, shortest), counters = await behind(up, down, NUMBERED, HOST4, port, packets, seed=seed)
    there = [int.from_bytes(data[:2], "big") for data in echo.got]
    assert there == survivors((up, down), "up", seed, packets)
    assert back == [there[row] for row in survivors((up, down), "down", seed, len(there))]
    assert counters.up.link.offered == packets
    assert counters.up.link.lost == counters.up.missing == packets - len(there)
    assert counters.down.link.offered == len(there)
    assert shortest >= 0.030
    assert counters.up.planned.p50_us == pytest.approx(20_000, rel=0.004)
    assert counters.up.delay.n == len(there)


async def test_a_rate_bounds_a_download() -> None:
    content = bytes(200_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        writer.close()

    script = """
import sys, time
began = time.monotonic()
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as sock:
    size = sum(map(len, iter(lambda: sock.recv(1 << 16), b"")))
print(json.dumps([size, time.monotonic() - began]))
"""
    down = Impairment(5 * MS, rate_bps=2_000_000, queue_ns=200 * MS)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        (size, took), counters = await behind(CLEAN, down, script, HOST4, port)
    assert size == len(content)
    assert took > 8 * len(content) / 2_000_000
    # the sender is a kernel that notices a full queue: it sends little more than is needed
    assert counters.down.link.offered < 1.5 * len(content) / 1448
    assert counters.down.busiest_bps is not None
    assert counters.down.busiest_bps <= 2_000_000 + 8 * 1514 * 20


async def test_without_our_own_processes_there_is_no_measurement() -> None:
    async with asyncio.timeout(PATIENCE), WeakNetwork.start(CLEAN, CLEAN, 1, by_model=True) as network:
        program = await network.program(["sleep", "60"], dict(os.environ), None)
        _, gateway, _ = network._children
        os.kill(gateway.pid, signal.SIGKILL)
        with pytest.raises(NotMeasured, match="our own process"):
            await _counters_until_they_end(network)
        await program.stop()


async def _counters_until_they_end(network: WeakNetwork) -> None:
    while await network.counters():  # noqa: ASYNC110 (they only answer questions)
        await asyncio.sleep(0.01)
