"""The node's media loop, in a process of its own, and its parent's handle.

The parent opens and closes sessions over the pipe; receive logs and counters are read from shared memory,
so that neither loop ever waits for the other.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.errors import ProtocolError
from probe.methods.batch import Batch, join
from probe.methods.negotiation import Grant
from probe.methods.reflected_session import ReflectedSession
from probe.methods.reflections import NodeCounts
from probe.methods.reflector import Reflector
from probe.net.address import unpack_address
from probe.net.clock import Waiter, be_punctual, monotonic_ns
from probe.net.pipe import Pipe
from probe.net.process import Child
from probe.net.shared import SharedArray
from probe.net.udp import UdpSocket, open_udp
from probe.wire.log import LOG
from probe.wire.stun import binding_response

IDLE_NS = 200_000_000
COUNT_NAMES = tuple(item.name for item in fields(NodeCounts))


def log_capacity(grant: Grant) -> int:
    """Room for every packet, half as many duplicates and repairs again, and a little."""
    return grant.streams * grant.packets * 3 // 2 + 1024


@dataclass(frozen=True, slots=True)
class _Open:
    grant: Grant
    capacity: int


@dataclass(frozen=True, slots=True)
class _Close:
    session: int


def serve(pipe: Pipe) -> None:
    """Entry point of the child: first message is the bound socket's descriptor."""
    be_punctual()
    plain, fds = pipe.receive()
    loop = _MediaLoop(open_udp(sock=socket.socket(fileno=fds[0]), plain=plain), pipe)
    pipe.send("ready")
    loop.run()


class _MediaLoop:
    def __init__(self, sock: UdpSocket, pipe: Pipe) -> None:
        self._sock, self._pipe = sock, pipe
        self._reflector = Reflector(secrets.token_bytes(32))
        self._shared: dict[int, tuple[ReflectedSession, NDArray[np.int64]]] = {}

    def run(self) -> None:
        sock, reflector = self._sock, self._reflector
        media, orders = Waiter(sock.fileno(), self._pipe.fileno()), Waiter(self._pipe.fileno())
        next_order_ns = 0
        while True:
            batch = sock.receive()
            now_ns = monotonic_ns()
            if len(batch.size):
                take_media(reflector, sock, batch)
            if reflector.next_time_ns() <= now_ns:
                sock.send(reflector.packets_to_send(monotonic_ns(), now_ns))
            if len(batch.size):
                self._publish()
            elif not self._pipe.holds_message:
                media.wait(min(reflector.next_time_ns(), now_ns + IDLE_NS))
            if now_ns >= next_order_ns or not len(batch.size):
                next_order_ns = now_ns + 1_000_000
                if orders.readable() and not self._obey():
                    return

    def _publish(self) -> None:
        dropped = self._sock.dropped()
        for session, shared in self._shared.values():
            session.counts.socket_dropped = dropped - session.dropped_before
            shared[:] = [getattr(session.counts, name) for name in COUNT_NAMES]

    def _obey(self) -> bool:
        order, fds = self._pipe.receive()
        if isinstance(order, _Open):
            self._open(order, fds)
        elif isinstance(order, _Close):
            self._reflector.close(order.session)
            self._shared.pop(order.session, None)
        return bool(order != "stop")

    def _open(self, order: _Open, fds: list[int]) -> None:
        grant = order.grant
        log, counts = (
            SharedArray(fds[0], LOG, order.capacity),
            SharedArray(fds[1], np.int64, len(COUNT_NAMES)),
        )
        log.close_fd()
        counts.close_fd()
        session = reflected_session(grant, log.array, self._sock)
        self._reflector.open(session)
        self._shared[grant.session] = session, counts.array


def reflected_session(grant: Grant, log_rows: NDArray[np.void], sock: UdpSocket) -> ReflectedSession:
    """The session that a grant describes."""
    session = ReflectedSession(
        grant.session,
        grant.token,
        ssrc_base=grant.ssrc_base,
        streams=grant.streams,
        packets=grant.packets,
        rate_pps=grant.rate_pps,
        nack=grant.nack,
        one_way=grant.one_way,
        log_rows=log_rows,
    )
    session.dropped_before = sock.dropped()
    return session


def take_media(reflector: Reflector, sock: UdpSocket, batch: Batch) -> None:
    """Hand RTP and RTCP to the reflector and answer STUN; the rest are strays."""
    kind = batch.data[:, 0] // 64
    if (kind == 2).all():
        reflector.receive(batch)
        return
    stun = batch.data[:, 0] <= 3
    _answer_stun(reflector, sock, batch.take(stun))
    reflector.strays += int(((kind != 2) & ~stun).sum())
    reflector.receive(batch.take(kind == 2))


def _answer_stun(reflector: Reflector, sock: UdpSocket, batch: Batch) -> None:
    answers = []
    for row in range(len(batch.size)):
        request = batch.data[row, : batch.size[row]].tobytes()
        try:
            answer = binding_response(request, unpack_address(batch.address[row]))
        except ProtocolError:
            reflector.strays += 1
            continue
        data = np.frombuffer(answer, np.uint8)[None, :]
        size = np.array([len(answer)], np.int64)
        answers.append(Batch(data, size, batch.time_ns[[row]], batch.address[[row]]))
    sock.send(join(answers))


class MediaProcess:
    """The parent's side: a backend of media sessions for the control channel."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._sessions: dict[int, tuple[SharedArray, SharedArray]] = {}

    @classmethod
    async def start(cls, media: socket.socket, *, plain: bool = False) -> MediaProcess:
        """Give `media` to a new process and wait until it listens."""
        child = Child.start("probe.net.media_process:serve")
        child.send(plain, (media.fileno(),))
        await child.receive(timeout=20)
        media.close()
        return cls(child)

    def open(self, grant: Grant) -> None:
        """Serve the granted session from now on; raises OSError when there is no memory for its log."""
        capacity = log_capacity(grant)
        log, counts = SharedArray.create(LOG, capacity), SharedArray.create(np.int64, len(COUNT_NAMES))
        self._child.send(_Open(grant, capacity), (log.fd, counts.fd))
        log.close_fd()
        counts.close_fd()
        self._sessions[grant.session] = log, counts

    def log(self, session: int, after: int, limit: int) -> NDArray[np.void]:
        """Rows `after ..` of the receive log, at most `limit`."""
        log, counts = self._sessions[session]
        end = int(counts.array[COUNT_NAMES.index("logged")])
        return log.array[after : min(end, after + limit)].copy()

    def report(self, session: int) -> dict[str, Any]:
        counts = self._sessions[session][1].array
        return {name: int(counts[at]) for at, name in enumerate(COUNT_NAMES)}

    def close(self, session: int) -> None:
        if self._sessions.pop(session, None):
            self._child.send(_Close(session))

    async def ended(self) -> None:
        """Return never; raise NotMeasured when the process ends by itself."""
        while True:
            await self._child.receive()

    async def stop(self) -> None:
        await self._child.stop()
