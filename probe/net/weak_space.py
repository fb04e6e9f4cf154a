"""The networks between a program and the host's: where the program is, a cable, and a far end that answers for all.

    program's network --v0 v1-- the pump's --w0 w1-- far end

The far end takes whatever address a packet is for as its own, so that each of the program's connections ends
there, at a socket of ours; the gateway carries on from that in the host's network. The sender of a download is
thus a kernel with the congestion control of a real server, and it meets the weak network as that would.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from probe.net.clock import monotonic_ns
from probe.net.kernel_cable import Cable, NetemEnd
from probe.net.netns import Missing, Namespace, Neighbours, join, know_each_other, run
from probe.net.pipe import Pipe, PipeClosed
from probe.net.tc import QdiscCounters

HOST4, PROGRAM4 = "198.18.0.1", "198.18.0.2"
HOST6, PROGRAM6 = "2001:2::1", "2001:2::2"
"""Of the ranges for benchmarks (RFC 2544, RFC 5180), which nobody has on the Internet."""

_TRANSPARENT = {
    socket.AF_INET: (socket.SOL_IP, 19),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 75),
}
_BACKLOG = 512
_NEVER_MS = "2000000000"
_HELD_SEGMENTS_BYTES = 128 * 1024
_TCP_NOTSENT_LOWAT = 25


@dataclass(frozen=True, slots=True)
class SpaceConfig:
    """`netem`: what the kernel is to do on the cable; None leaves it clean. `routes4`, `routes6`: whether the
    program is told that everything can be reached by that version."""

    netem: Cable | None
    routes4: bool
    routes6: bool


@dataclass(frozen=True, slots=True)
class SocketOrder:
    """A socket at the far end, which stands for `address`: a TCP listener, or with `client` a UDP socket that
    speaks to this port of the program."""

    address: str
    port: int
    client: int | None = None


@dataclass(frozen=True, slots=True)
class NetemState:
    """Both netems' counters; `received`: frames that came out on the way down."""

    up: QdiscCounters
    down: QdiscCounters
    received: int


class Space:
    """Makes the networks; sockets in them are made to order."""

    def __init__(self, config: SpaceConfig) -> None:
        self.program, self._middle, self._far = Namespace(), Namespace(), Namespace()
        for space in (self.program, self._middle, self._far):
            _quiet(space)
        join(self.program, self._middle, ("v0", "v1"))
        join(self._far, self._middle, ("w1", "w0"))
        ends: Neighbours = ((PROGRAM4, PROGRAM6), (HOST4, HOST6))
        if not _has_ipv6():
            ends = (PROGRAM4,), (HOST4,)
        _addressed(self.program, "v0", ends[0])
        _addressed(self._far, "w1", ends[1])
        know_each_other(self.program, self._far, ("v0", "w1"), ends)
        with self.program.entered():
            if config.routes4:
                run("ip", "route", "add", "default", "via", HOST4)
            if config.routes6 and _has_ipv6():
                run("ip", "-6", "route", "add", "default", "via", HOST6)
        with self._far.entered():
            run("ip", "route", "add", "local", "default", "dev", "lo", "table", "main")
            if _has_ipv6():
                run("ip", "-6", "route", "add", "local", "default", "dev", "lo", "table", "main")
        self._ends: tuple[NetemEnd, ...] = ()
        if (netem := config.netem) is not None:
            self._ends = (
                NetemEnd(self.program, "v0", netem.up, netem.payload_bytes),
                NetemEnd(self._middle, "v1", netem.down, netem.payload_bytes),
            )

    def frames(self) -> tuple[int, int]:
        """Two sockets for frames: towards the program, towards the far end."""
        from probe.net.frames import raw_socket

        with self._middle.entered():
            return raw_socket("v1").detach(), raw_socket("w0").detach()

    def make(self, order: SocketOrder) -> socket.socket:
        """A socket of the far end; raises OSError."""
        six = ":" in order.address
        family = socket.AF_INET6 if six else socket.AF_INET
        with self._far.entered():
            sock = socket.socket(family, socket.SOCK_STREAM if order.client is None else socket.SOCK_DGRAM)
        try:
            sock.setsockopt(*_TRANSPARENT[family], 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((order.address, order.port))
            if order.client is None:
                # What is not under way stays with the server, not in a buffer in between.
                sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _HELD_SEGMENTS_BYTES)
                sock.listen(_BACKLOG)
            else:
                sock.connect((PROGRAM6 if six else PROGRAM4, order.client))
        except OSError:
            sock.close()
            raise
        return sock

    def start(self) -> None:
        """Begin time lines, and count from now: not what networks say to each other when they come up."""
        for end in self._ends:
            end.start(monotonic_ns())
        self._before = self._counted()

    def advance(self) -> None:
        """Go on in them."""
        for end in self._ends:
            end.advance(monotonic_ns())

    @property
    def next_ns(self) -> int:
        """When there is something to advance."""
        return min((end.next_ns for end in self._ends), default=1 << 62)

    def state(self) -> NetemState:
        """What tc says of either end, and how many frames have reached the program, since the start."""
        now, before = self._counted(), self._before
        up, down = now.up.since(before.up), now.down.since(before.down)
        return NetemState(up, down, now.received - before.received)

    def _counted(self) -> NetemState:
        up, down = (end.read() for end in self._ends)
        with self.program.entered():
            (link,) = json.loads(run("ip", "-s", "-j", "link", "show", "v0"))
        return NetemState(up, down, int(link["stats64"]["rx"]["packets"]))


def _quiet(space: Namespace) -> None:
    """Nothing on the cable but the program's packets."""
    for scope in ("all", "default"):
        for setting, value in (
            ("accept_ra", "0"),
            ("addr_gen_mode", "1"),
            ("accept_dad", "0"),
            ("autoconf", "0"),
            ("router_solicitations", "0"),
            ("mldv1_unsolicited_report_interval", _NEVER_MS),
            ("mldv2_unsolicited_report_interval", _NEVER_MS),
        ):
            space.write(f"net.ipv6.conf.{scope}.{setting}", value)


def _addressed(space: Namespace, device: str, addresses: Sequence[str]) -> None:
    with space.entered():
        for address in addresses:
            bits, nodad = ("126", ["nodad"]) if ":" in address else ("30", [])
            run("ip", "address", "add", f"{address}/{bits}", "dev", device, *nodad)


def _has_ipv6() -> bool:
    return Path("/proc/net/if_inet6").exists()


def hold(pipe: Pipe, config: SpaceConfig, *, own_user: bool) -> None:
    """Make the networks, hand them over, and answer until told to stop; for a process that has left the host.

    The first answer is why the kernel has no netem for it (None: it does, or was not asked), with descriptors: both
    frame sockets, the program's network and, where there is one, the user namespace; next comes the gateway's pipe.
    """
    import selectors

    space, why = _made(config)
    fds = [*space.frames(), space.program.fd]
    if own_user:
        fds.append(os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC))
    pipe.send(why, tuple(fds))
    for fd in (*fds[:2], *fds[3:]):
        os.close(fd)
    _, (gateway_fd,) = pipe.receive()
    gateway = Pipe(socket.socket(fileno=gateway_fd))
    selector = selectors.DefaultSelector()
    selector.register(pipe.fileno(), selectors.EVENT_READ, pipe)
    selector.register(gateway.fileno(), selectors.EVENT_READ, gateway)
    while True:
        timeout = max(0.0, min(3600.0, (space.next_ns - monotonic_ns()) / 1e9))
        for key, _ in selector.select(timeout):
            try:
                order, _ = key.data.receive()
            except PipeClosed:
                return
            if order == "stop":
                return
            _answer(space, key.data, order)
        space.advance()


def _made(config: SpaceConfig) -> tuple[Space, str | None]:
    """The networks, with a clean cable and the reason where the kernel cannot weaken it."""
    try:
        return Space(config), None
    except Missing as missing:
        if config.netem is None:
            raise
        return Space(replace(config, netem=None)), str(missing).partition(";")[0]


def _answer(space: Space, pipe: Pipe, order: Any) -> None:
    try:
        if isinstance(order, SocketOrder):
            sock = space.make(order)
            pipe.send("socket", (sock.fileno(),))
            sock.close()
        elif order == "start":
            space.start()
            pipe.send("started")
        else:
            pipe.send(space.state())
    except PipeClosed:
        raise
    except Exception as error:  # noqa: BLE001 (told to who asked, who raises it)
        with contextlib.suppress(PipeClosed):
            pipe.send(error)
