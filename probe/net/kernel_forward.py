"""The loop between a client, the cable with the kernel's netem, and the target.

It only hands datagrams on: a client's go into the near end of the cable and from the far end to the target,
answers the other way. What happens to them happens in the kernel. Its own delay is measured.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
from dataclasses import dataclass
from typing import Any

import numpy as np

from probe.impairment.counters import LinkCounters
from probe.impairment.course import Course
from probe.impairment.profile import UDP_OVERHEAD_BYTES, Impairment
from probe.methods.batch import Batch
from probe.net.address import Address
from probe.net.clock import be_punctual, monotonic_ns
from probe.net.kernel_cable import Cable, CableState
from probe.net.lateness import Lateness
from probe.net.pipe import Pipe
from probe.net.process import spawn
from probe.net.relay_flows import IDLE_NS, Flow, Flows, groups
from probe.net.relay_process import RelayCounters
from probe.net.tc import QdiscCounters
from probe.net.udp import UdpSocket, open_udp

CARRIER = "kernel netem"
HOUSEKEEPING_S = 1.0


@dataclass(frozen=True, slots=True)
class ForwardConfig:
    """Where to listen, whom to reach, and the cable in between."""

    target: Address
    listen: Address
    up: Impairment
    down: Impairment
    payload_bytes: int
    idle_ns: int = IDLE_NS


@dataclass(frozen=True, slots=True)
class KernelCounters(RelayCounters):
    """A relay's counters as the kernel's netem gives them: its losses include overflows.

    `lateness` is the loop's own delay, `tc_up` and `tc_down` are what `tc -s` says.
    """

    tc_up: str = ""
    tc_down: str = ""


class _Ends:
    """A flow's two sockets on the cable."""

    def __init__(self, near: UdpSocket, far: UdpSocket) -> None:
        self.near, self.far = near, far


class _Holder:
    """The process that holds the cable, from the side of the loop."""

    def __init__(self, cable: Cable) -> None:
        self._process, self._pipe = spawn("probe.net.holder:cable")
        self._pipe.send(cable)
        self._answer()

    def _answer(self) -> tuple[Any, list[int]]:
        answer, fds = self._pipe.receive()
        if isinstance(answer, Exception):
            raise answer
        return answer, fds

    def pair(self) -> _Ends:
        self._pipe.send("pair")
        _, fds = self._answer()
        near, far = (socket.socket(fileno=fd) for fd in fds)
        peers = near.getpeername(), far.getpeername()
        return _Ends(open_udp(sock=near, peer=peers[0]), open_udp(sock=far, peer=peers[1]))

    def start(self) -> None:
        self._pipe.send("start")
        self._answer()

    def state(self) -> CableState:
        self._pipe.send("state")
        state: CableState = self._answer()[0]
        return state

    def stop(self) -> None:
        self._pipe.close()
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(pipe: Pipe) -> None:
    """Entry point of the child: the first message is the `ForwardConfig`, the answer our address or an error."""
    be_punctual()
    config, _ = pipe.receive()
    try:
        sock = open_udp(bind=config.listen)
        loop = ForwardLoop(config, sock, pipe)
    except Exception as error:  # noqa: BLE001 (told to the parent, which raises it)
        pipe.send(error)
        return
    pipe.send(sock.local())
    try:
        loop.run()
    finally:
        loop.close()


class ForwardLoop:
    """Forwards between the clients of one listening socket and one target, across a cable."""

    def __init__(self, config: ForwardConfig, sock: UdpSocket, pipe: Pipe) -> None:
        self._config, self._sock, self._pipe = config, sock, pipe
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock.fileno(), selectors.EVENT_READ, sock)
        self._selector.register(pipe.fileno(), selectors.EVENT_READ, pipe)
        self._flows = Flows(config.target, self._selector, idle_ns=config.idle_ns, plain=False)
        self._ends: dict[int, _Ends] = {}
        self._begin(Cable(config.up, config.down, config.payload_bytes))

    def _begin(self, cable: Cable) -> None:
        """A new cable, counted from zero."""
        self._holder = _Holder(cable)
        self._started = False
        self._lateness = Lateness()
        self._offered, self._offered_bytes, self._sent = [0, 0], [0, 0], [0, 0]
        self._unsent = self._overrun = 0

    def _end(self) -> None:
        for number in list(self._ends):
            self._drop(number)
        self._holder.stop()

    def close(self) -> None:
        """Give everything back."""
        self._end()

    def run(self) -> None:
        """Forward until told to stop."""
        housekeeping_ns = 0
        while True:
            for key, _ in self._selector.select(HOUSEKEEPING_S):
                if key.data is self._pipe:
                    if not self._obey():
                        return
                elif key.data is self._sock:
                    self._from_clients()
                elif isinstance(key.data, Flow):
                    self._from_target(key.data)
                else:
                    self._from_cable(*key.data)
            now_ns = monotonic_ns()
            if now_ns >= housekeeping_ns:
                housekeeping_ns = now_ns + int(HOUSEKEEPING_S * 1e9)
                self._flows.expire(now_ns)
                for number in [number for number in self._ends if self._flows.get(number) is None]:
                    self._drop(number)

    def _drop(self, number: int) -> None:
        ends = self._ends.pop(number)
        for end in (ends.near, ends.far):
            self._selector.unregister(end.fileno())
            end.close()

    def _ends_of(self, number: int) -> _Ends:
        if not self._started:
            self._holder.start()
            self._started = True
        if number not in self._ends:
            ends = self._ends[number] = self._holder.pair()
            self._selector.register(ends.near.fileno(), selectors.EVENT_READ, (number, "near"))
            self._selector.register(ends.far.fileno(), selectors.EVENT_READ, (number, "far"))
        return self._ends[number]

    def _from_clients(self) -> None:
        batch = self._sock.receive()
        if not len(batch.size):
            return
        flow = self._flows.numbers_of(batch.address, monotonic_ns())
        self._overrun += int((flow < 0).sum())
        for number, rows in groups(flow):
            if number >= 0:
                self._offer(0, self._ends_of(number).near, batch.take(rows))

    def _from_target(self, flow: Flow) -> None:
        batch = flow.upstream.receive()
        if len(batch.size):
            flow.last_ns = monotonic_ns()
            self._offer(1, self._ends_of(flow.number).far, batch)

    def _offer(self, way: int, end: UdpSocket, batch: Batch) -> None:
        taken = end.send(batch)
        self._offered[way] += taken
        self._offered_bytes[way] += int(batch.size.sum())
        self._unsent += len(batch.size) - taken
        self._lateness.add(monotonic_ns() - batch.time_ns)

    def _from_cable(self, number: int, end: str) -> None:
        ends, flow = self._ends.get(number), self._flows.get(number)
        if ends is None:
            return
        batch = (ends.far if end == "far" else ends.near).receive()
        if flow is None or not len(batch.size):
            return
        if end == "far":
            taken = flow.upstream.send(batch)
        else:
            address = np.broadcast_to(flow.address, batch.address.shape)
            taken = self._sock.send(batch._replace(address=address))
        self._sent[end == "near"] += taken
        self._unsent += len(batch.size) - taken
        self._lateness.add(monotonic_ns() - batch.time_ns)

    def _obey(self) -> bool:
        while True:
            order, _ = self._pipe.receive()
            if order == "stop":
                return False
            try:
                if isinstance(order, Cable):
                    self._end()
                    self._begin(order)
                    self._pipe.send("configured")
                else:
                    self._pipe.send(self._counters())
            except Exception as error:  # noqa: BLE001 (told to the parent, which raises it)
                self._pipe.send(error)
            if not self._pipe.holds_message:
                return True

    def _counters(self) -> KernelCounters:
        state = self._holder.state()
        return KernelCounters(
            up=netem_link(state.up, self._offered[0], self._offered_bytes[0]),
            down=netem_link(state.down, self._offered[1], self._offered_bytes[1]),
            course_up=Course(),  # netem has no outages
            course_down=Course(),
            sent_up=self._sent[0],
            sent_down=self._sent[1],
            pending_up=state.up.waiting,
            pending_down=state.down.waiting,
            flows=len(self._flows),
            expired=self._flows.expired,
            refused=self._flows.refused,
            carrier=CARRIER,
            lateness=self._lateness.summary(),
            socket_dropped=self._sock.dropped()
            + self._flows.dropped
            + sum(ends.near.dropped() + ends.far.dropped() for ends in self._ends.values()),
            overrun=self._overrun,
            unsent=self._unsent,
            tc_up=state.up.shown,
            tc_down=state.down.shown,
        )


def netem_link(qdisc: QdiscCounters, offered: int, offered_bytes: int) -> LinkCounters:
    """netem's counters as a link's: it does not tell losses from overflows, or how many it doubled."""
    inside = qdisc.sent + qdisc.dropped + qdisc.waiting
    return LinkCounters(
        offered=offered,
        lost=qdisc.dropped,
        delivered=qdisc.sent,
        offered_bytes=offered_bytes,
        delivered_bytes=max(0, qdisc.sent_bytes - UDP_OVERHEAD_BYTES * qdisc.sent),
        duplicated=max(0, inside - offered),
    )
