"""Frames between a program's network and the far end, through our own model of a weak network, both ways.

As in the relay, release times are counted from the moment of arrival, so how late this process wakes up is no
part of the delay; how late frames then leave is measured. Where the kernel's netem does it, the model is clean.
"""

from __future__ import annotations

import selectors
import socket
from dataclasses import dataclass

import numpy as np

from probe.impairment.chain import Chain, Path
from probe.impairment.counters import LinkCounters
from probe.impairment.profile import UDP_OVERHEAD_BYTES, Impairment
from probe.methods.batch import Batch
from probe.net.clock import Alarm, be_punctual, monotonic_ns
from probe.net.frames import device_frames
from probe.net.gate import Gate
from probe.net.lateness import Lateness, LatenessSummary
from probe.net.mmsg import MmsgSocket
from probe.net.pipe import Pipe, PipeClosed
from probe.net.relay_pending import Pending, Pool
from probe.net.udp import RECEIVE_SLOTS
from probe.wire.ethernet import to_many

READS = 4
"""Full reads of one side before frames that are due get their turn again."""
HOUSEKEEPING_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PumpConfig:
    """What the way up and the way down do; `pings`: addresses (16 bytes) that answer pings."""

    up: tuple[Impairment, ...]
    down: tuple[Impairment, ...]
    seed: int
    pings: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class WayCounters:
    """One direction: what the model did; how many frames have left and wait; how long those that left were to stay,
    and stayed; how many bits a second they were in the busiest one."""

    link: LinkCounters
    sent: int
    pending: int
    planned: LatenessSummary
    delay: LatenessSummary
    busiest_bps: int


@dataclass(frozen=True, slots=True)
class PumpCounters:
    """`lateness` is how late frames left. The rest is our own doing, not the emulated network's, and 0 in a good
    measurement: `socket_dropped` at the receive buffers, `overrun` for want of memory, `unsent` not taken by the
    kernel. `withheld` are frames that opened no flow: nobody answered, or nobody carries them."""

    up: WayCounters
    down: WayCounters
    lateness: LatenessSummary
    socket_dropped: int
    overrun: int
    unsent: int
    withheld: int


class _Way:
    """One direction: from where, through what, to where."""

    def __init__(self, source: MmsgSocket, sink: MmsgSocket, chain: Chain, pool: Pool) -> None:
        self.source, self.sink, self.chain = source, sink, chain
        self.pending = Pending(pool)
        self.sent = 0
        self._planned, self._delay = Lateness(), Lateness()
        self._second, self._bytes, self._most_bytes = 0, 0, 0

    def admit(self, batch: Batch) -> int:
        """Let frames meet the links; returns how many survivors found no room to wait."""
        many = to_many(batch.data)
        if many.any():  # neighbours' talk, which no network carries on
            batch = batch.take(~many)
        # The model counts a packet's UDP payload, and adds the headers of the frame itself.
        passage = self.chain.push(batch.time_ns, np.maximum(batch.size - UDP_OVERHEAD_BYTES, 0))
        if not len(passage.row):
            return 0
        out = passage.carry(batch, UDP_OVERHEAD_BYTES)
        return self.pending.add(out.data, out.size, out.time_ns, batch.time_ns[passage.row])

    def take(self, now_ns: int) -> tuple[Batch, int]:
        """The frames that leave now, in order; and when that is."""
        batch, arrived_ns = self.pending.take(now_ns)
        left_ns = monotonic_ns()
        self.sent += len(batch.size)
        self._planned.add(batch.time_ns - arrived_ns)
        self._delay.add(left_ns - arrived_ns)
        second = left_ns // 1_000_000_000
        if second != self._second:
            self._second, self._bytes = second, 0
        self._bytes += int(batch.size.sum())
        self._most_bytes = max(self._most_bytes, self._bytes)
        return batch, left_ns

    def counters(self) -> WayCounters:
        return WayCounters(
            *(self.chain.counters, self.sent, self.pending.count),
            *(self._planned.summary(), self._delay.summary(), 8 * self._most_bytes),
        )


def serve(pipe: Pipe) -> None:
    """Entry point of the process: the `PumpConfig` with the sockets towards program and far end, and the gateway's
    pipe; then questions for the counters."""
    be_punctual()
    config, (inside, outside, gateway) = pipe.receive()
    program, far_end = (device_frames(socket.socket(fileno=fd)) for fd in (inside, outside))
    Pump(config, program, far_end, Pipe(socket.socket(fileno=gateway)), pipe).run()


class Pump:
    """Moves frames until it is told to stop."""

    def __init__(
        self, config: PumpConfig, inside: MmsgSocket, outside: MmsgSocket, gateway: Pipe, pipe: Pipe
    ) -> None:
        self._pipe, self._gateway = pipe, gateway
        self._selector = selectors.DefaultSelector()
        for channel in (inside, outside, gateway, pipe):
            self._selector.register(channel.fileno(), selectors.EVENT_READ, channel)
        self._alarm = Alarm(self._selector.fileno())
        self._gate = Gate(gateway, config.pings)
        pool, path = Pool(), Path.of(config.up, config.down, config.seed)
        self._up = _Way(inside, outside, path.up, pool)
        self._down = _Way(outside, inside, path.down, pool)
        self._lateness = Lateness()
        self._overrun = self._unsent = 0

    def run(self) -> None:
        """Until told to stop, or the gateway is gone."""
        while True:
            readable = [key.data for key, _ in self._selector.select(0)]
            if self._pipe in readable and not self._obey():
                return
            if self._gateway in readable:
                try:
                    for batch in self._gate.answered():
                        self._send(self._up, batch)
                except PipeClosed:
                    return
            more = [self._receive(way) for way in (self._up, self._down) if way.source in readable]
            now_ns = monotonic_ns()
            self._release(now_ns)
            wake_ns = min(self._up.pending.next_ns, self._down.pending.next_ns, now_ns + HOUSEKEEPING_NS)
            if not any(more):
                self._alarm.wait(wake_ns)

    def _receive(self, way: _Way) -> bool:
        """Read what has arrived; returns whether there may be more."""
        for _ in range(READS):
            batch = way.source.receive()
            if len(batch.size):
                self._overrun += way.admit(batch)
            if len(batch.size) < RECEIVE_SLOTS:
                return False
        return True

    def _release(self, now_ns: int) -> None:
        for way in (self._up, self._down):
            if way.pending.next_ns > now_ns:
                continue
            batch, left_ns = way.take(now_ns)
            self._lateness.add(left_ns - batch.time_ns)
            self._send(way, self._gate.sift(batch) if way is self._up else batch)

    def _send(self, way: _Way, batch: Batch) -> None:
        if len(batch.size):
            self._unsent += len(batch.size) - way.sink.send(batch)

    def _obey(self) -> bool:
        while True:
            order, _ = self._pipe.receive()
            if order == "stop":
                return False
            self._pipe.send(self.counters())
            if not self._pipe.holds_message:
                return True

    def counters(self) -> PumpCounters:
        """What was done so far."""
        return PumpCounters(
            up=self._up.counters(),
            down=self._down.counters(),
            lateness=self._lateness.summary(),
            socket_dropped=self._up.source.dropped() + self._down.source.dropped(),
            overrun=self._overrun,
            unsent=self._unsent,
            withheld=self._gate.withheld,
        )
