"""Binding by hand: a recorder that says yes to a session, and a foreign sender that has been let in."""

from __future__ import annotations

import os
import secrets
import select
import socket
import threading
import time
from functools import cache

import numpy as np

from bench.processes import pinned
from bench.session import SEED
from probe.methods.batch import Batch
from probe.methods.bind import Bind
from probe.methods.media_client import MediaClient
from probe.methods.negotiation import Grant
from probe.methods.reflected_session import ReflectedSession
from probe.methods.reflector import Reflector
from probe.methods.schedule import Schedule, StreamSpec, schedule
from probe.metrics import empty_rows
from probe.net.address import Address, pack_address
from probe.net.udp import open_udp
from probe.wire.bind import Step, parse_bind
from probe.wire.log import LOG

PATIENCE_S = 10.0


def bind_by_hand(sock: socket.socket, grant: Grant, node: Address) -> None:
    """Make `sock`, connected to `node`, the one that a granted session's packets may come from."""
    start = time.monotonic()
    bind = Bind(grant.token, secrets.token_bytes(8), grant.ssrc_base, node)
    while bind.bound_at is None:
        now = time.monotonic() - start
        if now > PATIENCE_S:
            raise RuntimeError("the node did not bind our sender")
        for data, _ in bind.datagrams_to_send(now):
            sock.send(data)
        if select.select([sock], [], [], 0.05)[0]:
            bind.receive_datagram(sock.recv(2048), node, time.monotonic() - start)


class Sink:
    """Answers the bind of one session (if there is one) on `sock`, then keeps its queue short.

    Packets that are dropped cost their sender less than packets that are delivered: somebody has to take
    them. It looks twice a millisecond, so that no sender pays for waking it.
    """

    def __init__(self, sock: socket.socket, cpu: int, grant: Grant | None = None) -> None:
        self._sock, self._cpu = sock, cpu
        self._stopped = threading.Event()
        self._bind = Welcome(sock, grant) if grant else None
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _serve(self) -> None:
        with pinned(self._cpu):  # a thread's affinity is its own
            if self._bind:
                self._bind.serve(self._stopped)
            carrier = open_udp(sock=self._sock.dup())
            while not self._stopped.wait(0.0005):
                while len(carrier.receive().size):
                    pass
            carrier.close()


class Welcome:
    """Answers the bind of one session on a socket that is then left alone."""

    def __init__(self, sock: socket.socket, grant: Grant) -> None:
        self._sock = sock
        self._reflector = Reflector(secrets.token_bytes(32))
        session = ReflectedSession(
            grant.session,
            grant.token,
            ssrc_base=grant.ssrc_base,
            streams=grant.streams,
            packets=1,
            rate_pps=1.0,
            nack=False,
            one_way=True,
            log_rows=np.zeros(1, LOG),
        )
        self._reflector.open(session)

    def serve(self, stopped: threading.Event) -> None:
        """Return when the sender has been told that it is bound."""
        bound = False
        while not bound and not stopped.is_set():
            if select.select([self._sock], [], [], 0.05)[0]:
                bound = self._answer()

    def _answer(self) -> bool:
        """Take one message; whether it was the last."""
        data, sender = self._sock.recvfrom(2048)
        now_ns = time.monotonic_ns()
        address = np.frombuffer(pack_address(sender), np.uint8)[None, :].copy()
        padded = data + bytes(-len(data) % 8)
        matrix = np.frombuffer(padded, np.uint8)[None, :].copy()
        size = np.array([len(data)], np.int64)
        self._reflector.receive(Batch(matrix, size, np.array([now_ns]), address))
        answer = self._reflector.packets_to_send(now_ns, now_ns)
        if not len(answer.size):
            return False
        data = answer.data[0, : answer.size[0]].tobytes()
        self._sock.sendto(data, sender)
        return parse_bind(data).step == Step.BOUND


@cache
def media_packets(grant: Grant, spec: StreamSpec, packet_bytes: int) -> int:
    """All packets of a session as the product's client builds them, `packet_bytes` long, one after the
    other in a file without a name; its descriptor."""
    plan = _equal_packets(grant.packets, spec, packet_bytes)
    client = MediaClient(
        spec,
        plan,
        empty_rows(grant.streams * grant.packets),
        ssrc_base=grant.ssrc_base,
        token=grant.token,
        nack=False,
        start_ns=1,
    )
    end_ns = int(plan.time_ns[-1] + plan.offset_ns.max()) + 1
    fd = os.memfd_create("packets")
    while not client.all_sent:
        os.write(fd, client.packets_to_send(0, end_ns).data.tobytes())
    return fd


def _equal_packets(packets: int, spec: StreamSpec, packet_bytes: int) -> Schedule:
    time_ns = np.arange(packets, dtype=np.int64) * spec.interval_ns
    return Schedule(
        time_ns,
        np.full(packets, packet_bytes, np.uint16),
        np.zeros(packets, np.bool_),
        np.zeros(packets, np.uint32),
        schedule(spec, np.random.default_rng(SEED)).offset_ns,
    )
