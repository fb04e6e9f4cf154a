"""A cable with real netem on both ends, in networks of its own; a process holds it and makes its sockets.

`near` is the client's end, `far` the target's. What leaves `near` meets the netem of the way up, what leaves
`far` that of the way down. The process has no other task: when it ends, the kernel takes everything away.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from probe.errors import NotMeasured
from probe.impairment.profile import Impairment
from probe.impairment.tc import TcPlan, step_plan, tc_plan
from probe.net.clock import monotonic_ns
from probe.net.netns import Namespace, join, know_each_other, run
from probe.net.pipe import Pipe
from probe.net.tc import QdiscCounters, apply, read, tables_for

NEAR, FAR = "10.255.0.1", "10.255.0.2"
FIRST_PORT = 20_000
PORTS = 40_000


@dataclass(frozen=True, slots=True)
class Cable:
    """What the holder is asked for: both ways, and the payload of a typical packet."""

    up: Impairment
    down: Impairment
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class CableState:
    """Both netems' counters."""

    up: QdiscCounters
    down: QdiscCounters


def single(way: Impairment | Sequence[Impairment]) -> Impairment:
    """The one link of a way; NotMeasured where there are more, which a cable cannot be."""
    links = [way] if isinstance(way, Impairment) else [link for link in way if not link.clean]
    if len(links) > 1:
        raise NotMeasured(
            "the kernel's netem stands for one network, here are two in a row",
            hint="use the relay for an emulated node behind a weak network: --impair relay",
        )
    return links[0] if links else Impairment()


class NetemEnd:
    """One end: its network, its device, the way that begins there."""

    def __init__(self, space: Namespace, device: str, impairment: Impairment, payload_bytes: int) -> None:
        self.space, self.device = space, device
        timeline = impairment.timeline
        if timeline is None:
            self._plans: list[tuple[int, TcPlan]] = [(1 << 62, tc_plan(impairment, payload_bytes))]
            self._loop = False
        else:
            self._plans = [(step.duration_ns, step_plan(step, payload_bytes)) for step in timeline.steps]
            self._loop = timeline.loop
        self._folder = tables_for([impairment])
        self._place, self.next_ns = 0, 1 << 62
        self._apply(change=False)

    def _apply(self, *, change: bool) -> None:
        from pathlib import Path

        folder = Path(self._folder.name) if self._folder else None
        with self.space.entered():
            apply(self.device, self._plans[self._place][1], folder, change=change)

    def start(self, now_ns: int) -> None:
        """Begin its time line."""
        if len(self._plans) > 1:
            self.next_ns = now_ns + self._plans[0][0]

    def advance(self, now_ns: int) -> None:
        """Go on to the condition of now."""
        changed = False
        while self.next_ns <= now_ns:
            last = self._place == len(self._plans) - 1
            if last and not self._loop:
                self.next_ns = 1 << 62
                break
            self._place = 0 if last else self._place + 1
            self.next_ns += self._plans[self._place][0]
            changed = True
        if changed:
            self._apply(change=True)

    def read(self) -> QdiscCounters:
        with self.space.entered():
            return read(self.device)


class Holder:
    """Makes the cable, and answers what it is asked."""

    def __init__(self, cable: Cable) -> None:
        self._near, self._far = Namespace(), Namespace()
        join(self._near, self._far)
        for space, device, address in ((self._near, "v0", NEAR), (self._far, "v1", FAR)):
            space.write("net.ipv6.conf.all.disable_ipv6", "1")  # nothing on the cable but our packets
            with space.entered():
                run("ip", "address", "add", f"{address}/24", "dev", device)
        know_each_other(self._near, self._far, ("v0", "v1"), ([NEAR], [FAR]))
        self._ends = (
            NetemEnd(self._near, "v0", cable.up, cable.payload_bytes),
            NetemEnd(self._far, "v1", cable.down, cable.payload_bytes),
        )
        self._made = 0

    def start(self) -> None:
        now_ns = monotonic_ns()
        for end in self._ends:
            end.start(now_ns)

    @property
    def next_ns(self) -> int:
        return min(end.next_ns for end in self._ends)

    def advance(self) -> None:
        now_ns = monotonic_ns()
        for end in self._ends:
            end.advance(now_ns)

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Two UDP sockets that speak to each other across the cable."""
        port = FIRST_PORT + self._made % PORTS
        self._made += 1
        made = []
        for space, mine, theirs in ((self._near, NEAR, FAR), (self._far, FAR, NEAR)):
            with space.entered():
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((mine, port))
            sock.connect((theirs, port))
            made.append(sock)
        return made[0], made[1]

    def state(self) -> CableState:
        return CableState(self._ends[0].read(), self._ends[1].read())


def hold(pipe: Pipe, cable: Cable) -> None:
    """Make the cable and answer until told to stop; for a process that has left the host's network."""
    holder = Holder(cable)
    pipe.send("ready")
    while True:
        timeout = max(0.0, min(3600.0, (holder.next_ns - monotonic_ns()) / 1e9))
        if not pipe.holds_message and not select.select([pipe.fileno()], [], [], timeout)[0]:
            holder.advance()
            continue
        order, _ = pipe.receive()
        if order == "stop":
            return
        pipe.send(*_answer(holder, order))


def _answer(holder: Holder, order: str) -> tuple[Any, tuple[int, ...]]:
    try:
        if order == "pair":
            near, far = holder.pair()
            return "pair", (near.detach(), far.detach())
        if order == "start":
            holder.start()
            return "started", ()
        return holder.state(), ()
    except Exception as error:  # noqa: BLE001 (told to the parent, which raises it)
        return error, ()
