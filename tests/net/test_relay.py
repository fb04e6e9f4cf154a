"""The relay on loopback, with real sockets and a real process."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from probe.errors import NotMeasured
from probe.impairment.chain import Path
from probe.impairment.link import DROPPED
from probe.impairment.profile import Impairment, Loss
from probe.net.relay import Relay
from probe.net.relay_process import RelayCounters
from tests.impairment.releases import release_of

pytestmark = pytest.mark.net

MS = 1_000_000
PATIENCE = 20
CLEAN = Impairment()


class Peer(asyncio.DatagramProtocol):
    """A UDP socket in the event loop that keeps what came, and may send it back."""

    def __init__(self, *, echo: bool = False) -> None:
        self.echo = echo
        self.got: list[tuple[bytes, int, tuple[str, int]]] = []
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.append((data, time.monotonic_ns(), addr))
        if self.echo:
            self.transport.sendto(data, addr)

    @property
    def address(self) -> tuple[str, int]:
        name = self.transport.get_extra_info("sockname")
        return name[0], name[1]

    @property
    def numbers(self) -> list[int]:
        return [struct.unpack_from("!I", data)[0] for data, _, _ in self.got]


@pytest.fixture
async def peers() -> AsyncIterator[list[Peer]]:
    opened: list[Peer] = []
    yield opened
    for peer in opened:
        peer.transport.close()
    await asyncio.sleep(0)  # transports close in the loop's next round


async def peer(peers: list[Peer], *, echo: bool = False, host: str = "127.0.0.1") -> Peer:
    loop = asyncio.get_running_loop()
    _, made = await loop.create_datagram_endpoint(lambda: Peer(echo=echo), (host, 0))
    peers.append(made)
    return made


async def counters_once(relay: Relay, enough: Callable[[RelayCounters], bool]) -> RelayCounters:
    async with asyncio.timeout(PATIENCE):
        while not enough(counters := await relay.counters()):  # noqa: ASYNC110 (it only answers questions)
            await asyncio.sleep(0.01)
    return counters


async def received(client: Peer, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(client.got) < count:  # noqa: ASYNC110 (a peer has no other sign)
            await asyncio.sleep(0.01)


def packet(number: int, size: int = 100) -> bytes:
    return struct.pack("!I", number).ljust(size, b"x")


async def settled(relay: Relay, offered: int) -> RelayCounters:
    """The counters once `offered` packets came, their echoes too, and nothing waits any more."""
    return await counters_once(
        relay,
        lambda counters: (
            counters.up.offered == offered
            and counters.down.offered == counters.sent_up == counters.up.delivered
            and counters.sent_down == counters.down.delivered
        ),
    )


@pytest.mark.parametrize("plain", [False, True])
async def test_what_the_relay_says_is_what_the_receiver_saw(peers: list[Peer], plain: bool) -> None:
    node, client = await peer(peers, echo=True), await peer(peers)
    up, down = Impairment(20 * MS, loss=Loss(0.10, 3)), Impairment(10 * MS, loss=Loss(0.02))
    async with Relay.start(node.address, up, down, 5, plain=plain) as relay:
        sent_ns = []
        for number in range(2000):
            sent_ns.append(time.monotonic_ns())
            client.transport.sendto(packet(number), relay.address)
            if number % 4 == 3:
                await asyncio.sleep(0.002)
        counters = await settled(relay, 2000)
        await received(client, counters.sent_down)
    # fates belong to packet numbers: the relay's are those of the model alone
    path, size = Path.of([up], [down], 5), np.full(2000, 100)
    survived = np.flatnonzero(release_of(path.up, np.zeros(2000, np.int64), size) != DROPPED)
    returned = survived[release_of(path.down, np.zeros(len(survived), np.int64), size[survived]) != DROPPED]
    assert node.numbers == survived.tolist()
    assert client.numbers == returned.tolist()
    assert (counters.up, counters.down) == (path.up.counters, path.down.counters)
    assert counters.up.offered == 2000
    assert counters.sent_up == counters.up.delivered == len(node.got)
    assert counters.sent_down == counters.down.delivered == len(client.got)
    assert counters.carrier == ("plain" if plain else "sendmmsg")
    assert (counters.socket_dropped, counters.overrun, counters.unsent, counters.flows) == (0, 0, 0, 1)
    delay_ms = (
        np.array([when - sent_ns[number] for number, (_, when, _) in zip(returned, client.got, strict=True)])
        / MS
    )
    assert delay_ms.min() >= 30
    assert np.median(delay_ms) < 60
    assert counters.lateness.n == len(node.got) + len(client.got)
    assert counters.lateness.p50_us is not None


async def test_every_client_has_a_flow_of_its_own(peers: list[Peer]) -> None:
    node = await peer(peers, echo=True)
    clients = [await peer(peers) for _ in range(40)]
    async with Relay.start(node.address, Impairment(5 * MS, 2 * MS), CLEAN, 1) as relay:
        for turn in range(5):
            for number, client in enumerate(clients):
                client.transport.sendto(packet(100 * turn + number, 50 + number), relay.address)
        counters = await settled(relay, 200)
        for client in clients:
            await received(client, 5)
    assert counters.flows == 40
    assert len({source for _, _, source in node.got}) == 40
    for number, client in enumerate(clients):
        assert client.numbers == [100 * turn + number for turn in range(5)]
        assert {len(data) for data, _, _ in client.got} == {50 + number}
        assert {source for _, _, source in client.got} == {relay.address}


async def test_new_conditions_start_from_zero_and_keep_the_clients(peers: list[Peer]) -> None:
    node, client = await peer(peers, echo=True), await peer(peers)
    async with Relay.start(node.address, Impairment(loss=Loss(1.0)), CLEAN, 1) as relay:
        client.transport.sendto(packet(1), relay.address)
        assert (await settled(relay, 1)).up.lost == 1
        await relay.configure([Impairment(10_000 * MS)], [], 2)
        client.transport.sendto(packet(2), relay.address)
        counters = await counters_once(relay, lambda counters: counters.up.offered > 0)
        assert (counters.up.delivered, counters.pending_up, counters.sent_up) == (1, 1, 0)
        await relay.configure([], [], 3)
        client.transport.sendto(packet(3), relay.address)
        await received(client, 1)
        counters = await settled(relay, 1)
    assert client.numbers == [3]
    assert (counters.up.offered, counters.down.offered, counters.pending_up) == (1, 1, 0)


async def test_a_target_that_is_gone_does_not_end_it(peers: list[Peer]) -> None:
    client = await peer(peers)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        target = holder.getsockname()
    async with Relay.start(target, CLEAN, CLEAN, 1) as relay:
        for number in range(20):
            client.transport.sendto(packet(number), relay.address)
            await asyncio.sleep(0.005)
        await counters_once(relay, lambda counters: counters.up.offered == 20 and counters.refused > 0)
        loop = asyncio.get_running_loop()
        back, node = await loop.create_datagram_endpoint(lambda: Peer(echo=True), target)
        peers.append(node)
        assert back is node.transport
        client.transport.sendto(packet(99), relay.address)
        await received(client, 1)
    assert client.numbers == [99]


async def test_an_idle_flow_ends_and_comes_back(peers: list[Peer]) -> None:
    node, client = await peer(peers, echo=True), await peer(peers)
    async with Relay.start(node.address, CLEAN, CLEAN, 1, idle_ns=100 * MS) as relay:
        client.transport.sendto(packet(1), relay.address)
        counters = await counters_once(relay, lambda counters: counters.expired > 0)
        assert counters.flows == 0
        client.transport.sendto(packet(2), relay.address)
        await received(client, 2)
    assert client.numbers == [1, 2]


async def test_over_ipv6_and_with_empty_datagrams(peers: list[Peer]) -> None:
    try:
        node, client = await peer(peers, echo=True, host="::1"), await peer(peers, host="::1")
    except OSError as error:
        pytest.skip(f"no IPv6 on loopback here: {error}")
    async with Relay.start(node.address, CLEAN, CLEAN, 1, listen=("::1", 0)) as relay:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
            other.sendto(b"", relay.address)  # the event loop's own transports send no empty datagram
            await received(node, 1)
        client.transport.sendto(packet(2), relay.address)
        await received(client, 1)
        counters = await relay.counters()
    assert [data for data, _, _ in node.got] == [b"", packet(2)]
    assert client.numbers == [2]
    assert counters.flows == 2


async def test_a_port_in_use_is_one_sentence(peers: list[Peer]) -> None:
    node = await peer(peers)
    with pytest.raises(NotMeasured, match=f"127.0.0.1:{node.address[1]}"):
        await Relay.open(node.address, CLEAN, CLEAN, 1, listen=node.address)


async def test_a_killed_relay_is_told_as_our_own_failure(peers: list[Peer]) -> None:
    node = await peer(peers)
    async with Relay.start(node.address, CLEAN, CLEAN, 1) as relay:
        relay._child._process.kill()
        relay._child._process.wait()
        with pytest.raises(NotMeasured, match="our own process"):
            await relay.counters()
