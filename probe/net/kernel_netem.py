"""A UDP path with the kernel's own netem in it: the same verbs as `probe.net.relay.Relay`.

Clients send to `address` instead of the target. Their packets cross a cable between two network namespaces
with `tc netem` on both ends; nothing of the host's own network is touched, and no privilege is needed where
ordinary users may have user namespaces. When we end, however we end, the kernel removes all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from probe.errors import NotMeasured
from probe.impairment.profile import Impairment
from probe.impairment.tc import USUAL_PAYLOAD, step_plan, tc_plan
from probe.net.address import Address
from probe.net.kernel_cable import Cable, single
from probe.net.kernel_forward import ForwardConfig, KernelCounters
from probe.net.pipe import PipeClosed
from probe.net.process import Child, spawn
from probe.net.relay import ANSWER_TIMEOUT, Way
from probe.net.relay_flows import IDLE_NS


class KernelNetem:
    """A running path; `open`, `configure`, `counters` and `stop` as a relay's."""

    def __init__(self, child: Child, address: Address, payload_bytes: int) -> None:
        self._child, self.address, self._payload_bytes = child, address, payload_bytes
        self._asking = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        target: Address,
        up: Way,
        down: Way,
        seed: int = 0,  # noqa: ARG003
        *,
        listen: Address = ("127.0.0.1", 0),
        idle_ns: int = IDLE_NS,
        payload_bytes: int = USUAL_PAYLOAD,
    ) -> KernelNetem:
        """Start a path to a numeric `target`.

        `seed` is taken for the sake of the relay: the kernel's draws cannot be repeated. `payload_bytes` is the
        size of a typical packet (netem's queue counts packets). Raises NotMeasured, with what to do about it, where
        this system or its netem cannot do it.
        """
        cable = checked(up, down, payload_bytes)
        child = Child.start("probe.net.kernel_forward:serve")
        try:
            child.send(ForwardConfig(target, listen, cable.up, cable.down, payload_bytes, idle_ns))
            address = await child.receive(ANSWER_TIMEOUT)
            if isinstance(address, Exception):
                raise address
        except BaseException:
            await child.stop()
            raise
        return cls(child, address, payload_bytes)

    @classmethod
    @asynccontextmanager
    async def start(
        cls, target: Address, up: Way, down: Way, seed: int = 0, **options: Any
    ) -> AsyncIterator[KernelNetem]:
        """`open`, and `stop` at the end of the block."""
        path = await cls.open(target, up, down, seed, **options)
        try:
            yield path
        finally:
            await path.stop()

    async def configure(self, up: Way, down: Way, seed: int = 0) -> None:
        """Another cable, counted from zero; clients stay connected, packets under way are lost."""
        await self._ask(checked(up, down, self._payload_bytes))

    async def counters(self) -> KernelCounters:
        """What the kernel did since the start or the last `configure`."""
        counters: KernelCounters = await self._ask("counters")
        return counters

    async def stop(self) -> None:
        """End it; what is under way is lost."""
        await self._child.stop()

    async def _ask(self, order: Any) -> Any:
        async with self._asking:
            self._child.send(order)
            try:
                answer = await self._child.receive(ANSWER_TIMEOUT)
            except TimeoutError:
                raise NotMeasured("our own path through the kernel does not answer") from None
            if isinstance(answer, Exception):
                raise answer
            return answer


def try_netem() -> None:
    """Raises NotMeasured, with what to do, where the kernel's netem is not to be had. Sends nothing."""
    process, pipe = spawn("probe.net.holder:cable")
    try:
        pipe.send(checked(Impairment(), Impairment()))
        answer, _ = pipe.receive()
    except PipeClosed:
        raise NotMeasured("our own process for the kernel's netem has ended") from None
    finally:
        pipe.close()
        process.wait()
    if isinstance(answer, Exception):
        raise answer


def checked(up: Way, down: Way, payload_bytes: int = USUAL_PAYLOAD) -> Cable:
    """What the kernel will be asked for; NotMeasured, naming the relay, for what its netem cannot do."""
    cable = Cable(single(up), single(down), payload_bytes)
    try:
        for way in (cable.up, cable.down):
            if way.timeline is None:
                tc_plan(way, payload_bytes)
            for step in way.timeline.steps if way.timeline else ():
                step_plan(step, payload_bytes)
    except ValueError as error:
        raise NotMeasured(str(error), hint="weak networks are applied by --impair relay") from None
    return cable
