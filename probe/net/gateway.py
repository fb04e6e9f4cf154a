"""The far end of a weak network: carries a program's connections on into the host's network.

Before a frame that opens a flow is let through, its peer is reached from here, and there is a socket at the far
end which answers in the peer's name. So a program is refused where the peer refuses, and is accepted a round trip
to the peer later.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from probe.net.address import Address, family_of
from probe.net.clock import monotonic_ns
from probe.net.gate import GONE, OPEN, REFUSED, SILENT
from probe.net.gateway_stream import carry_both, reset
from probe.net.pipe import Pipe, PipeClosed
from probe.net.udp import enlarge_buffers
from probe.net.weak_space import HOST4, HOST6, SocketOrder
from probe.wire.ethernet import TCP, Flow, flow_of

DNS_PORT = 53
CONNECT_TIMEOUT_S = 60.0
IDLE_NS = 120_000_000_000
"""RFC 4787 REQ-5: a NAT keeps a UDP mapping for two minutes at least."""
MAX_FLOWS = 1024
HOUSEKEEPING_S = 5.0
REFUSAL_NS = 1_000_000_000
"""So soon after a refusal of the peer's the program has to send again, to be told."""
AT_ONCE = 64
"""Datagrams of a flow before others have their turn."""
MAX_DATAGRAM_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """`resolver`: who answers the questions for names that are put to our own address."""

    resolver: str | None


@dataclass(slots=True)
class _Datagrams:
    """A UDP flow: our socket at the far end, and the one in the host's network."""

    near: socket.socket
    far: socket.socket
    last_ns: int


@dataclass(slots=True)
class _Reached:
    """A connection in the host's network for which the program's own is still to come."""

    key: bytes
    far: socket.socket
    since_ns: int


def serve(pipe: Pipe) -> None:
    """Entry point of the process: the `GatewayConfig`, with the pipes to pump and holder."""
    config, (pump_fd, holder_fd) = pipe.receive()
    pump, holder = (Pipe(socket.socket(fileno=fd)) for fd in (pump_fd, holder_fd))

    async def run() -> None:
        await Gateway(config, pump, holder).run(pipe)

    asyncio.run(run())


class Gateway:
    """Answers the pump (keys of flows in, what became of them out) by sockets from the holder."""

    def __init__(self, config: GatewayConfig, pump: Pipe, holder: Pipe) -> None:
        self._config, self._pump, self._holder = config, pump, holder
        self._loop = asyncio.get_running_loop()
        self._listeners: dict[Address, socket.socket] = {}
        self._reached: dict[tuple[Address, int], _Reached] = {}
        self._datagrams: dict[bytes, _Datagrams] = {}
        self._refused_ns: dict[bytes, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()

    async def run(self, parent: Pipe) -> None:
        """Until the pump or the parent is gone."""
        self._loop.add_reader(self._pump.fileno(), self._asked)
        self._loop.add_reader(parent.fileno(), self._ended.set)
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), HOUSEKEEPING_S)
            self._expire(monotonic_ns())

    def _asked(self) -> None:
        try:
            while True:
                key, _ = self._pump.receive()
                self._spawn(self._open(key))
                if not self._pump.holds_message:
                    return
        except PipeClosed:
            self._loop.remove_reader(self._pump.fileno())
            self._ended.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _tell(self, key: bytes, outcome: str) -> None:
        with contextlib.suppress(PipeClosed):
            self._pump.send((key, outcome))

    async def _open(self, key: bytes) -> None:
        flow = flow_of(key)
        try:
            if flow.protocol == TCP:
                await self._open_tcp(key, flow)
            else:
                self._open_udp(key, flow)
            outcome = OPEN
        except TimeoutError:
            outcome = SILENT
        except OSError as error:
            outcome = SILENT if error.errno == errno.ETIMEDOUT else REFUSED
            self._unlisten(_peer(flow))
        self._tell(key, outcome)

    def _target(self, flow: Flow) -> Address:
        """Where a flow goes in the host's network: what is for our own address, to the host itself."""
        host, port = _peer(flow)
        if host not in (HOST4, HOST6):
            return host, port
        if port == DNS_PORT and self._config.resolver:
            return self._config.resolver, port
        return ("::1" if flow.six else "127.0.0.1"), port

    def _order(self, order: SocketOrder) -> socket.socket:
        self._holder.send(order)
        answer, fds = self._holder.receive()
        if isinstance(answer, Exception):
            raise answer
        sock = socket.socket(fileno=fds[0])
        sock.setblocking(False)
        return sock

    def _expire(self, now_ns: int) -> None:
        for key, flow in list(self._datagrams.items()):
            if now_ns - flow.last_ns > IDLE_NS:
                self._close(key)
        for name, reached in list(self._reached.items()):
            if now_ns - reached.since_ns > IDLE_NS:
                del self._reached[name]
                reached.far.close()
                self._tell(reached.key, GONE)

    # TCP

    async def _open_tcp(self, key: bytes, flow: Flow) -> None:
        peer, target = _peer(flow), self._target(flow)
        far = socket.socket(family_of(target[0]), socket.SOCK_STREAM)
        far.setblocking(False)
        try:
            await asyncio.wait_for(self._loop.sock_connect(far, target), CONNECT_TIMEOUT_S)
            if peer not in self._listeners:
                listener = self._listeners[peer] = self._order(SocketOrder(*peer))
                self._loop.add_reader(listener.fileno(), self._accept, listener, peer)
        except BaseException:
            far.close()
            raise
        self._reached[peer, flow.port] = _Reached(key, far, monotonic_ns())

    def _unlisten(self, peer: Address) -> None:
        """So that the far end refuses as the peer does."""
        if (listener := self._listeners.pop(peer, None)) is not None:
            self._loop.remove_reader(listener.fileno())
            listener.close()

    def _accept(self, listener: socket.socket, peer: Address) -> None:
        try:
            near, client = listener.accept()
        except OSError:
            return
        near.setblocking(False)
        reached = self._reached.pop((peer, client[1]), None)
        if reached is None:  # a connection attempt that we gave up
            reset(near)
            return
        self._spawn(self._carry(reached, near))

    async def _carry(self, reached: _Reached, near: socket.socket) -> None:
        try:
            await carry_both(near, reached.far)
        finally:
            self._tell(reached.key, GONE)

    # UDP

    def _open_udp(self, key: bytes, flow: Flow) -> None:
        if monotonic_ns() - self._refused_ns.pop(key, -REFUSAL_NS) < REFUSAL_NS:
            raise ConnectionRefusedError
        if len(self._datagrams) >= MAX_FLOWS:
            self._close(min(self._datagrams, key=lambda key: self._datagrams[key].last_ns))
        near, target = self._order(SocketOrder(*_peer(flow), client=flow.port)), self._target(flow)
        far = socket.socket(family_of(target[0]), socket.SOCK_DGRAM)
        far.setblocking(False)
        try:
            far.connect(target)
        except OSError:
            near.close()
            far.close()
            raise
        for sock in (near, far):
            enlarge_buffers(sock)
        self._datagrams[key] = _Datagrams(near, far, monotonic_ns())
        self._loop.add_reader(near.fileno(), self._forward, key, near, far)
        self._loop.add_reader(far.fileno(), self._forward, key, far, near)

    def _forward(self, key: bytes, source: socket.socket, sink: socket.socket) -> None:
        flow = self._datagrams[key]
        flow.last_ns = monotonic_ns()
        for _ in range(AT_ONCE):
            try:
                sink.send(source.recv(MAX_DATAGRAM_BYTES))
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                if sink is flow.near or source is flow.far:
                    # What the program sends next meets the refusal, and what it sends after that a new attempt.
                    self._refused_ns[key] = monotonic_ns()
                self._close(key)
                return
            except OSError:
                continue  # too large for one of the paths: lost there

    def _close(self, key: bytes) -> None:
        flow = self._datagrams.pop(key)
        for sock in (flow.near, flow.far):
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self._tell(key, GONE)


def _peer(flow: Flow) -> Address:
    return str(ipaddress.ip_address(flow.address)), flow.peer_port
