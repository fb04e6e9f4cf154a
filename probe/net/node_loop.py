"""The node's packet loop, in a process of its own: what arrives is logged and goes back.

When the kernel stamps both arrival and departure, how long a packet lies here is no part of any delay that is
measured, so the loop may take several at once. A process that was stopped shows as a stall of the node.
"""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass, fields
from typing import NamedTuple

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
from probe.net.punctual import ORDINARY, Privileges, Punctuality
from probe.net.shared import SharedArray
from probe.net.transmit import stamping_at
from probe.net.udp import MEDIA_SLOTS, SAMPLED, UdpSocket, open_udp
from probe.wire.log import LOG
from probe.wire.stun import binding_response

IDLE_NS = 200_000_000
QUIET_NS = 300_000
"""After several packets at once the loop rests so long: later ones then share its next round."""
CROWD = 256
"""So many at once are a backlog: no rest then. (At 150,000 packets a second a rest is worth a sixth of the CPU time.)"""
PLAIN_IDLE_NS = 20_000_000
"""Where no kernel stamp tells how long a packet lay here, the loop's own wake-ups do."""
PUBLISH_NS = 10_000_000
"""A loop that always has packets publishes, and looks for orders, this often; one that has none whenever it finds none."""
STAMPED_NS = 4_000_000
"""After a moment without outstanding transmit stamps what is logged for so long counts as settled."""
SETTLE_NS = 50_000_000
"""A transmit stamp that is later than this is no longer waited for before log rows are handed out."""
RATE_NS = 20_000_000
"""Over so long at least the rate of arrivals is measured."""
COUNT_NAMES = tuple(item.name for item in fields(NodeCounts))


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message to the child."""

    plain: bool = False
    punctuality: Punctuality = ORDINARY


@dataclass(frozen=True, slots=True)
class Open:
    """Serve a session; its log has `capacity` rows. Two descriptors: log and counts."""

    grant: Grant
    capacity: int


@dataclass(frozen=True, slots=True)
class Close:
    session: int


def serve(pipe: Pipe) -> None:
    """Entry point of the child: the first message is a `Setup` with the bound socket's descriptor; the answer
    is what was granted of its `punctuality`."""
    be_punctual()
    setup, fds = pipe.receive()
    privileges = Privileges(setup.punctuality)
    sock = open_udp(sock=socket.socket(fileno=fds[0]), plain=setup.plain, slots=MEDIA_SLOTS)
    loop = NodeLoop(sock, pipe, privileges)
    pipe.send(privileges.granted())
    loop.run()


class _Served(NamedTuple):
    session: ReflectedSession
    counts: NDArray[np.int64]
    rate_pps: float
    """Of what goes back."""


class NodeLoop:
    """Reflects on `sock` the sessions that orders on `pipe` open."""

    def __init__(self, sock: UdpSocket, pipe: Pipe, privileges: Privileges) -> None:
        self._sock, self._pipe = sock, pipe
        # After an arrival the loop looks for more so long before it sleeps: not as a real-time process, which the
        # kernel would stop if it never slept.
        self._spin_ns = 0 if privileges.realtime else privileges.spin_ns
        self._reflector = Reflector(secrets.token_bytes(32))
        self._served: dict[int, _Served] = {}
        self._readable = Waiter(sock.fileno(), pipe.fileno())
        self._deaf, self._orders = Waiter(), Waiter(pipe.fileno())
        self._idle_ns = PLAIN_IDLE_NS if sock.carrier == "plain" else IDLE_NS
        self._publish_ns = self._settled_ns = self._busy_ns = 0
        self._arrived, self._rate_since_ns, self._rate_pps = 0, 0, 0.0
        self._dropped, self._overflows, self._crowded = 0, False, False

    def run(self) -> None:
        sock, reflector = self._sock, self._reflector
        while True:
            offset_ns = sock.wall.offset_ns
            batch = sock.receive()
            now_ns = monotonic_ns()
            count = len(batch.size)
            if count:
                self._busy_ns = now_ns
                self._arrived += count
                if batch.kernel_stamped and sock.wall.offset_ns == offset_ns:
                    self._note_stall(now_ns - int(batch.time_ns[0]))
                take_media(reflector, sock, batch)
            if reflector.next_time_ns() <= now_ns:
                sock.send(reflector.packets_to_send(monotonic_ns(), now_ns))
            if sock.unstamped and (told := sock.transmitted()):
                reflector.on_transmitted(*told)
            if now_ns >= self._publish_ns or not count:
                self._publish(now_ns)
                if (self._pipe.holds_message or self._orders.readable()) and not self._obey():
                    return
            self._rest(count, now_ns)

    def _rest(self, count: int, since_ns: int) -> None:
        """Wait for more, or for a request for repairs that falls due."""
        now_ns = monotonic_ns()
        self._note_stall(now_ns - since_ns)
        if count:
            if 1 < count < CROWD and self._sock.stamped_every:
                self._deaf.wait(min(self._reflector.next_time_ns(), now_ns + QUIET_NS))
            return
        if since_ns - self._busy_ns < self._spin_ns:
            return
        wake_ns = min(self._reflector.next_time_ns(), now_ns + self._idle_ns)
        self._readable.wait(wake_ns)
        self._note_stall(monotonic_ns() - wake_ns)

    def _note_stall(self, stall_ns: int) -> None:
        """A packet lay here, or the loop did not come round, for so long."""
        for session, _, _ in self._served.values():
            session.counts.stall_ns = max(session.counts.stall_ns, stall_ns)

    def _publish(self, now_ns: int) -> None:
        """Let the parent see counts, and the log rows that do not change any more."""
        self._publish_ns = now_ns + PUBLISH_NS
        dropped = self._sock.dropped()
        if now_ns - self._rate_since_ns >= RATE_NS:
            self._rate_pps = self._arrived * 1e9 / (now_ns - self._rate_since_ns)
            self._arrived, self._rate_since_ns = 0, now_ns
            self._overflows, self._dropped = dropped > self._dropped, dropped
            self._ask_for_stamps()
        self._sock.wall.look()
        step_ns = self._sock.wall.take_step()
        if not self._sock.unstamped:
            self._settled_ns = now_ns
        settled = now_ns - self._settled_ns < STAMPED_NS or now_ns - self._settled_ns > SETTLE_NS
        for session, shared, _ in self._served.values():
            counts = session.counts
            counts.socket_dropped = dropped - session.dropped_before
            counts.strays = self._reflector.strays
            counts.clock_step_ns = max(counts.clock_step_ns, step_ns, key=abs)
            logged = counts.logged if settled else shared[_LOGGED]
            shared[:] = [getattr(counts, name) for name in COUNT_NAMES]
            shared[_LOGGED] = logged

    def _obey(self) -> bool:
        order, fds = self._pipe.receive()
        if isinstance(order, Open):
            self._open(order, fds)
        elif isinstance(order, Close):
            self._reflector.close(order.session)
            self._served.pop(order.session, None)
            self._ask_for_stamps()
        return bool(order != "stop")

    def _open(self, order: Open, fds: list[int]) -> None:
        grant = order.grant
        log = SharedArray(fds[0], LOG, order.capacity)
        counts = SharedArray(fds[1], np.int64, len(COUNT_NAMES))
        log.close_fd()
        counts.close_fd()
        session = reflected_session(grant, log.array, self._sock)
        self._reflector.open(session)
        rate_pps = 0.0 if grant.one_way else grant.rate_pps
        self._served[grant.session] = _Served(session, counts.array, rate_pps)
        self._ask_for_stamps()

    def _ask_for_stamps(self) -> None:
        granted_pps = sum(served.rate_pps for served in self._served.values())
        # What comes for moments at more than it was granted is what a network held back.
        every = stamping_at(max(granted_pps, self._rate_pps / 2)) if granted_pps else 0
        if (every == SAMPLED) != self._crowded:
            self._crowded = every == SAMPLED
            self._sock.segment(wanted=self._crowded)
        if self._overflows:  # the kernel keeps stamps in the same memory as arrivals: each would cost packets
            every = 0
        if every != self._sock.stamped_every:
            self._sock.stamp(every)


_LOGGED = COUNT_NAMES.index("logged")


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
        protection=grant.protection,
    )
    session.dropped_before = sock.dropped()
    return session


def take_media(reflector: Reflector, sock: UdpSocket, batch: Batch) -> None:
    """Hand RTP and RTCP to the reflector and answer STUN; the rest are strays."""
    if reflector.receive_usual(batch):
        return
    if not batch.data.shape[1]:  # nothing but empty datagrams
        reflector.strays += len(batch.size)
        return
    kind = batch.data[:, 0] >> 6
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
