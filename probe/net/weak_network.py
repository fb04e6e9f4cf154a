"""A network for a program: a weak one between it and the rest of the world, for an ordinary user.

Four processes of ours stand around the program: the holder of the networks, the pump, the gateway, and the one that
starts it. All of them end with this one, and the networks with them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from probe.errors import ConfigError, NotMeasured
from probe.impairment.counters import LinkCounters
from probe.impairment.profile import Impairment
from probe.net.gateway import GatewayConfig
from probe.net.kernel_cable import Cable
from probe.net.kernel_forward import netem_link
from probe.net.kernel_netem import checked
from probe.net.lateness import LatenessSummary
from probe.net.pipe import Pipe
from probe.net.process import Child
from probe.net.program import ProgramOrder
from probe.net.pump import PumpConfig, PumpCounters, WayCounters
from probe.net.tc import QdiscCounters
from probe.net.weak_space import HOST4, HOST6, NetemState, SpaceConfig

ANSWER_TIMEOUT = 20.0

KERNEL, MODEL = "kernel netem", "our own model"


@dataclass(frozen=True, slots=True)
class WeakWay:
    """One direction. `link` is what was done to it, `came_out` and `pending` count frames that left and wait.

    `planned` and `delay` are how long frames were to be under way, and were; of the kernel's netem that is not known,
    but `tc` is what it says of itself.
    """

    link: LinkCounters
    came_out: int
    pending: int
    planned: LatenessSummary
    delay: LatenessSummary
    busiest_bps: int | None
    tc: str = ""

    @property
    def missing(self) -> int:
        """Frames that went in and did not come out."""
        return self.link.offered + self.link.duplicated - self.came_out - self.pending


@dataclass(frozen=True, slots=True)
class WeakCounters:
    """What became of the frames; `pump` has what we ourselves did to them."""

    up: WeakWay
    down: WeakWay
    pump: PumpCounters


class WeakNetwork:
    """Open networks. `why` says why it is not the kernel's netem that weakens them (None: it is)."""

    def __init__(self, holder: Child, gateway: Child, pump: Child) -> None:
        self._children = (holder, gateway, pump)
        self._holder, self._pump = holder, pump
        self._network: list[int] = []
        self._resolver: str | None = None
        self.why: str | None = None

    @classmethod
    @asynccontextmanager
    async def start(
        cls, up: Impairment, down: Impairment, seed: int, *, by_model: bool = False
    ) -> AsyncIterator[WeakNetwork]:
        """Networks for the time of the block, weakened by the kernel's netem if there is one and it can, else (or
        where that is asked for) by our own model, which draws by `seed`.

        Raises NotMeasured, with what to do, where this system has no networks to give.
        """
        made = cls(
            *(Child.start(f"probe.net.{entry}") for entry in ("holder:space", "gateway:serve", "pump:serve"))
        )
        try:
            await made._open(up, down, seed, by_model=by_model)
            yield made
        finally:
            await asyncio.gather(*(child.stop() for child in made._children))
            for fd in made._network:
                os.close(fd)

    async def _open(self, up: Impairment, down: Impairment, seed: int, *, by_model: bool) -> None:
        cable, self.why = (None, "as asked for") if by_model else _cable(up, down)
        resolver, self._resolver = _resolver()
        self._holder.send(SpaceConfig(cable, _routed("192.88.99.1"), _routed("2001:db8::1")))
        why, (inside, outside, *self._network) = await self._ready()
        self.why = self.why or why
        if self.why is None:
            up = down = Impairment()
        (to_gateway, from_pump), (to_holder, from_gateway) = socket.socketpair(), socket.socketpair()
        self._holder.send("gateway", (from_gateway.detach(),))
        _, gateway, pump = self._children
        gateway.send(GatewayConfig(resolver), (from_pump.fileno(), to_holder.fileno()))
        pings = frozenset(ip_address(host).packed.ljust(16, b"\0") for host in (HOST4, HOST6))
        pump.send(PumpConfig((up,), (down,), seed, pings), (inside, outside, to_gateway.fileno()))
        for sock in (from_pump, to_holder, to_gateway):
            sock.close()
        for fd in (inside, outside):
            os.close(fd)
        await self._ask(self._pump, "counters")  # it is at work
        if self.carrier == KERNEL:
            await self._ask(self._holder, "start")

    async def _ready(self) -> tuple[Any, list[int]]:
        answer, fds = await self._holder.receive_with_fds(ANSWER_TIMEOUT)
        if isinstance(answer, Exception):
            raise answer
        return answer, fds

    @property
    def carrier(self) -> str:
        """Who weakens the network."""
        return KERNEL if self.why is None else MODEL

    async def counters(self) -> WeakCounters:
        """What became of the frames so far."""
        pump: PumpCounters = await self._ask(self._pump, "counters")
        if self.carrier == MODEL:
            return WeakCounters(_modelled(pump.up), _modelled(pump.down), pump)
        netem: NetemState = await self._ask(self._holder, "state")
        up, down = pump.up.link, pump.down.link
        entered = netem.up.sent + netem.up.dropped + netem.up.waiting
        return WeakCounters(
            _by_kernel(netem.up, entered, netem.up.sent_bytes, up.offered),
            _by_kernel(netem.down, pump.down.sent, down.delivered_bytes, netem.received),
            pump,
        )

    async def _ask(self, child: Child, order: str) -> Any:
        child.send(order)
        try:
            answer = await child.receive(ANSWER_TIMEOUT)
        except TimeoutError:
            raise NotMeasured("our own network does not answer", hint="is this machine overloaded?") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def program(self, arguments: Sequence[str], environ: dict[str, str], stdout: int | None) -> Program:
        """Start a program in here; its output goes to `stdout`, or where ours does. Raises ConfigError."""
        order = ProgramOrder(tuple(arguments), environ, os.geteuid(), os.getegid(), self._resolver)
        return await Program.start(order, self._network, stdout)


def _modelled(way: WayCounters) -> WeakWay:
    return WeakWay(way.link, way.sent, way.pending, way.planned, way.delay, way.busiest_bps)


def _by_kernel(qdisc: QdiscCounters, offered: int, offered_bytes: int, came_out: int) -> WeakWay:
    unknown = LatenessSummary()
    link = netem_link(qdisc, offered, offered_bytes)
    return WeakWay(link, came_out, qdisc.waiting, unknown, unknown, None, qdisc.shown)


class Program:
    """A program that runs behind the weak network."""

    def __init__(self, starter: Child) -> None:
        self._starter = starter

    @classmethod
    async def start(cls, order: ProgramOrder, network: Sequence[int], stdout: int | None) -> Program:
        """Start it in that network. Raises ConfigError if it cannot be executed."""
        starter = _starter(stdout)
        starter.send(order, tuple(network))
        answer = await starter.receive(ANSWER_TIMEOUT)
        if isinstance(answer, OSError):
            raise ConfigError(f"`{order.arguments[0]}` cannot be run: {answer.strerror}")
        return cls(starter)

    async def ended(self) -> int:
        """Wait for it; its exit code, as a shell tells it: 128 and more for a signal."""
        code = os.waitstatus_to_exitcode(await self._starter.receive())
        return code if code >= 0 else 128 - code

    def signal(self, number: int) -> None:
        """Hand a signal on."""
        self._starter.send(number)

    async def stop(self) -> None:
        """End it, if it has not ended, and all that it has started."""
        await self._starter.stop()


def _starter(stdout: int | None) -> Child:
    """The process that starts a program: on our terminal, in our process group, with our environment and files."""
    mine, its = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-m", "probe.net.program", str(its.fileno())],
        pass_fds=(its.fileno(),),
        stdout=stdout,
    )
    its.close()
    return Child(process, Pipe(mine), "probe.net.program")


def _cable(up: Impairment, down: Impairment) -> tuple[Cable | None, str | None]:
    """What to ask the kernel for; None, and why not."""
    try:
        return checked(up, down), None
    except NotMeasured as refused:
        return None, str(refused).removesuffix(": use the relay")


def _routed(address: str) -> bool:
    """Whether this host has a way to the Internet by that version of IP (nothing is sent)."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((address, 9))
        except OSError:
            return False
    return True


def _resolver() -> tuple[str | None, str | None]:
    """Who answers for names on this host, if it is the host itself; and what the program is to read of it."""
    try:
        lines = Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        return None, None
    servers = [words[1] for words in map(str.split, lines) if len(words) > 1 and words[0] == "nameserver"]
    if not servers or not ip_address(servers[0].partition("%")[0]).is_loopback:
        return None, None
    kept = [line for line in lines if not line.startswith("nameserver")]
    return servers[0], "\n".join([f"nameserver {HOST4}", *kept, ""])
