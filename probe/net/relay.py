"""A UDP path with a weak network in it, for any program and without privileges.

The relay listens on an address of its own and forwards to one target, both directions, any number of
clients; each client is seen by the target under a port of its own. All clients share the two links, as
the devices behind one access line do. Packets are moved in a process of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from probe.errors import NotMeasured
from probe.impairment.profile import Impairment
from probe.net.address import Address
from probe.net.process import Child
from probe.net.punctual import ORDINARY, Punctuality
from probe.net.relay_flows import IDLE_NS
from probe.net.relay_process import Conditions, RelayConfig, RelayCounters

ANSWER_TIMEOUT = 20.0

Way = Impairment | Sequence[Impairment]
"""One link, or several in a row; the first is the client's own."""


class Relay:
    """A running relay: `address` is where clients send to instead of the target."""

    def __init__(self, child: Child, address: Address) -> None:
        self._child, self.address = child, address
        self._asking = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        target: Address,
        up: Way,
        down: Way,
        seed: int,
        *,
        listen: Address = ("127.0.0.1", 0),
        idle_ns: int = IDLE_NS,
        plain: bool = False,
        punctuality: Punctuality = ORDINARY,
    ) -> Relay:
        """Start a relay to a numeric `target`; raises NotMeasured when `listen` cannot be used.

        `plain` moves packets with one system call each, as on systems that have no better one.
        """
        child = Child.start("probe.net.relay_process:serve")
        try:
            child.send(RelayConfig(target, listen, _conditions(up, down, seed), idle_ns, plain, punctuality))
            address = await child.receive(ANSWER_TIMEOUT)
            if isinstance(address, Exception):
                raise address
        except BaseException:
            await child.stop()
            raise
        return cls(child, address)

    @classmethod
    @asynccontextmanager
    async def start(
        cls, target: Address, up: Way, down: Way, seed: int, **options: Any
    ) -> AsyncIterator[Relay]:
        """`open`, and `stop` at the end of the block."""
        relay = await cls.open(target, up, down, seed, **options)
        try:
            yield relay
        finally:
            await relay.stop()

    async def configure(self, up: Way, down: Way, seed: int) -> None:
        """Give the path new conditions and start its counters and draws anew; clients stay connected.

        Packets still under way are forgotten: do it between sessions.
        """
        await self._ask(_conditions(up, down, seed))

    async def counters(self) -> RelayCounters:
        """What was done since the start or the last `configure`."""
        counters: RelayCounters = await self._ask("counters")
        return counters

    async def stop(self) -> None:
        """End it; what is under way is lost."""
        await self._child.stop()

    async def _ask(self, order: Any) -> Any:
        async with self._asking:
            self._child.send(order)
            try:
                return await self._child.receive(ANSWER_TIMEOUT)
            except TimeoutError:
                raise NotMeasured("our own relay does not answer") from None


def _conditions(up: Way, down: Way, seed: int) -> Conditions:
    return Conditions(_row(up), _row(down), seed)


def _row(way: Way) -> tuple[Impairment, ...]:
    return (way,) if isinstance(way, Impairment) else tuple(way)
