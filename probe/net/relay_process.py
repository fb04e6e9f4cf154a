"""The relay's packet loop: arrivals meet the path, survivors leave at their release time.

Release times are counted from the kernel's arrival stamps, so how late this process wakes up is no part of
the delay; how late packets then leave is measured and reported.
"""

from __future__ import annotations

import selectors
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.impairment.chain import Chain, Path
from probe.impairment.counters import LinkCounters
from probe.impairment.course import Course
from probe.impairment.profile import Impairment
from probe.methods.batch import ADDRESS_BYTES, FOREVER, Batch, join
from probe.net.address import Address
from probe.net.clock import Waiter, be_punctual, monotonic_ns
from probe.net.lateness import Lateness, LatenessSummary
from probe.net.pipe import Pipe
from probe.net.punctual import ORDINARY, Privileges, Punctuality
from probe.net.relay_flows import IDLE_NS, Flow, Flows, groups
from probe.net.relay_pending import Pending, Pool
from probe.net.udp import MEDIA_SLOTS, UdpSocket, open_udp

HOUSEKEEPING_NS = 1_000_000_000

MIN_LEAD_NS, MAX_LEAD_NS = 20_000, 300_000
"""Bounds of how long before a release the loop stays awake, because sleepers wake up late."""

PREPARE_NS = 40_000
"""So long before its release a packet is made ready to go; after a pause that costs more than the send itself."""

READS = 4
"""Full reads of the listening socket before packets that are due get their turn again."""

QUIET_NS = 1_000_000
"""After arrivals the loop looks for more so much later at most, if nothing of them can fall due meanwhile."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the path does from now on; both lists begin at the client's side."""

    up: tuple[Impairment, ...]
    down: tuple[Impairment, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """Where to listen and what to relay to (numeric addresses); a flow ends after `idle_ns` of silence."""

    target: Address
    listen: Address
    conditions: Conditions
    idle_ns: int = IDLE_NS
    plain: bool = False
    punctuality: Punctuality = ORDINARY


@dataclass(frozen=True, slots=True)
class DelaySummary:
    """From arrival to the release that the path decided on, over the `n` packets that it let through; None: none yet."""

    n: int = 0
    mean_ms: float | None = None
    max_ms: float | None = None


@dataclass(frozen=True, slots=True)
class RelayCounters:
    """What the relay did since it was last configured.

    `up` and `down` are the path's decisions, `course_*` its outages, `delay_*` how long it holds packets; of its
    `delivered` packets `sent_*` have left and `pending_*` still wait. `lateness`, `socket_dropped`, `overrun` and `unsent` are the
    relay's own doing, not the emulated network's, and 0 in a good measurement: drops at its receive buffers,
    for want of memory or sockets, and of what the kernel would not take. `refused` counts ICMP errors from the
    target, `expired` flows that ended.
    """

    up: LinkCounters
    down: LinkCounters
    course_up: Course
    course_down: Course
    sent_up: int
    sent_down: int
    pending_up: int
    pending_down: int
    flows: int
    expired: int
    refused: int
    carrier: str
    lateness: LatenessSummary
    socket_dropped: int
    overrun: int
    unsent: int
    delay_up: DelaySummary = DelaySummary()
    delay_down: DelaySummary = DelaySummary()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def serve(pipe: Pipe) -> None:
    """Entry point of the child: the first message is the `RelayConfig`, the answer our address or an error."""
    be_punctual()
    config, _ = pipe.receive()
    try:
        sock = open_udp(bind=config.listen, plain=config.plain, slots=MEDIA_SLOTS)
    except Exception as error:  # noqa: BLE001 (told to the parent, which raises it)
        pipe.send(error)
        return
    privileges = Privileges(config.punctuality)  # to the end of this process
    relay = RelayLoop(config, sock, pipe, realtime=privileges.realtime)
    pipe.send(sock.local())
    relay.run()


class _Direction:
    """One way through the relay: its links, what waits, and what has left."""

    def __init__(self, chain: Chain, pool: Pool) -> None:
        self.chain = chain
        self.pending = Pending(pool)
        self.sent = 0
        self._admitted, self._delay_ns, self._longest_ns = 0, 0, 0
        self.look_ns = 0
        """When arrivals are looked for again."""

    def rest(self) -> None:
        """Just after arrivals look for no more for a moment, many at a time cost less: well within the time before
        any of them could leave, or but one in a thousand."""
        now_ns = monotonic_ns()
        free_ns = max(self.chain.earliest_release(now_ns) - now_ns, self.chain.likely_delay_ns)
        self.look_ns = now_ns + min(QUIET_NS, free_ns // 2)

    def admit(self, batch: Batch, flow: NDArray[np.int64]) -> int:
        """Let datagrams meet the links; returns how many survivors found no room to wait."""
        passage = self.chain.push(batch.time_ns, batch.size)
        if not len(passage.row):
            return 0
        out = passage.carry(batch)
        held_ns = out.time_ns - batch.time_ns[passage.row]
        self._admitted += len(held_ns)
        self._delay_ns += int(held_ns.sum())
        self._longest_ns = max(self._longest_ns, int(held_ns.max()))
        return self.pending.add(out.data, out.size, out.time_ns, flow[passage.row])

    @property
    def delay(self) -> DelaySummary:
        """What packets were delayed by so far."""
        if not self._admitted:
            return DelaySummary()
        return DelaySummary(self._admitted, self._delay_ns / self._admitted / 1e6, self._longest_ns / 1e6)


class RelayLoop:
    """Forwards between the clients of one listening socket and one target."""

    def __init__(self, config: RelayConfig, sock: UdpSocket, pipe: Pipe, *, realtime: bool = False) -> None:
        self._sock, self._pipe, self._idle_ns = sock, pipe, config.idle_ns
        self._selector = selectors.DefaultSelector()
        self._selector.register(pipe.fileno(), selectors.EVENT_READ, pipe)
        # An epoll or kqueue object is itself readable when one of its sockets is.
        far = self._selector.fileno()
        self._waiters = {
            (True, True): Waiter(sock.fileno(), far),
            (True, False): Waiter(sock.fileno()),
            (False, True): Waiter(far),
            (False, False): Waiter(),
        }
        self._flows = Flows(config.target, self._selector, idle_ns=config.idle_ns, plain=config.plain)
        self._pool = Pool()
        self._lead_ns = MIN_LEAD_NS
        # A real-time process that stays awake from one release to the next would be stopped by the kernel (sched(7)).
        self._longest_lead_ns = PREPARE_NS if realtime else MAX_LEAD_NS
        self._begin(config.conditions)

    def _begin(self, conditions: Conditions) -> None:
        """New conditions, counted from zero."""
        path = Path.of(conditions.up, conditions.down, conditions.seed)
        self._up, self._down = _Direction(path.up, self._pool), _Direction(path.down, self._pool)
        self._lateness = Lateness()
        self._overrun = self._unsent = 0
        self._before = self._socket_counts()

    def run(self) -> None:
        """Relay until told to stop."""
        housekeeping_ns = 0
        while True:
            now_ns = monotonic_ns()
            # Flows first: a new client on the listening socket may end the oldest of them.
            if now_ns >= self._down.look_ns and not self._hear_far(now_ns):
                return
            if now_ns >= self._up.look_ns:
                self._hear_near(now_ns)
            now_ns = monotonic_ns()
            self._release(now_ns)
            if now_ns >= housekeeping_ns:
                self._flows.expire(now_ns)
                housekeeping_ns = now_ns + min(HOUSEKEEPING_NS, self._idle_ns)
            release_ns = min(self._up.pending.next_ns, self._down.pending.next_ns) - self._lead_ns
            if monotonic_ns() < release_ns:
                self._rest(min(release_ns, housekeeping_ns))

    def _rest(self, wake_ns: int) -> None:
        """Sleep until `wake_ns`, the end of a moment without listening, or an arrival where we listen."""
        now_ns = monotonic_ns()
        looks = self._up.look_ns, self._down.look_ns
        wake_ns = min(wake_ns, *(look_ns for look_ns in looks if look_ns > now_ns), FOREVER)
        if wake_ns <= now_ns:
            return
        self._waiters[looks[0] <= now_ns, looks[1] <= now_ns].wait(wake_ns)
        late_ns = monotonic_ns() - wake_ns
        if late_ns > 0:  # woken by the clock: learn how late that is, one time in nine later than the lead
            step_ns = 8_000 if late_ns > self._lead_ns else -1_000
            self._lead_ns = min(max(self._lead_ns + step_ns, MIN_LEAD_NS), self._longest_lead_ns)

    def _hear_far(self, now_ns: int) -> bool:
        """Obey the parent, and let what the target sent meet the links; False when we are to stop."""
        readable = [key.data for key, _ in self._selector.select(0)]
        if self._pipe in readable and not self._obey():
            return False
        arrived = [(flow, flow.upstream.receive()) for flow in readable if isinstance(flow, Flow)]
        arrived = [(flow, batch) for flow, batch in arrived if len(batch.size)]
        if arrived:
            self._admit_down(arrived, now_ns)
            self._down.rest()
        return True

    def _hear_near(self, now_ns: int) -> None:
        """Let what the clients sent meet the links."""
        for _ in range(READS):
            batch = self._sock.receive()
            if len(batch.size):
                self._admit_up(batch, now_ns)
                self._up.rest()
            if len(batch.size) < self._sock.slots:
                break

    def _admit_up(self, batch: Batch, now_ns: int) -> None:
        flow = self._flows.numbers_of(batch.address, now_ns)
        if (flow < 0).any():
            self._overrun += int((flow < 0).sum())
            batch, flow = batch.take(flow >= 0), flow[flow >= 0]
        self._overrun += self._up.admit(batch, flow)

    def _admit_down(self, arrived: list[tuple[Flow, Batch]], now_ns: int) -> None:
        for flow, _ in arrived:
            flow.last_ns = now_ns
        # The links are shared: packets meet them in order of arrival, whosever they are (`join` sees to it).
        batch = join([part for _, part in arrived])
        number = np.repeat([flow.number for flow, _ in arrived], [len(part.size) for _, part in arrived])
        time_ns = np.concatenate([part.time_ns for _, part in arrived])
        self._overrun += self._down.admit(batch, number[np.argsort(time_ns, kind="stable")])

    def _release(self, now_ns: int) -> None:
        """Send what is due, or all but due."""
        soon_ns = now_ns + PREPARE_NS
        if self._up.pending.next_ns <= soon_ns:
            batch, flow = self._up.pending.take(max(now_ns, self._up.pending.next_ns))
            for number, rows in groups(flow):
                client = self._flows.get(number)
                part = batch if isinstance(rows, slice) else batch.take(rows)
                self._send(self._up, client.upstream if client else None, part)
        if self._down.pending.next_ns <= soon_ns:
            batch, flow = self._down.pending.take(max(now_ns, self._down.pending.next_ns))
            batch = batch._replace(address=np.empty((len(flow), ADDRESS_BYTES), np.uint8))
            known = np.ones(len(flow), np.bool_)
            for number, rows in groups(flow):
                if client := self._flows.get(number):
                    batch.address[rows] = client.address
                else:
                    known[rows] = False
            unknown = len(known) - int(np.count_nonzero(known))
            self._unsent += unknown
            if unknown < len(known):
                self._send(self._down, self._sock, batch.take(known) if unknown else batch)

    def _send(self, direction: _Direction, sock: UdpSocket | None, batch: Batch) -> None:
        count, last_ns = len(batch.size), int(batch.time_ns[-1])
        while (start_ns := monotonic_ns()) < last_ns:
            pass
        taken = sock.send(batch) if sock else 0
        # One call sends them all, one after the other.
        late_ns = np.arange(1, count + 1) * ((monotonic_ns() - start_ns) // count)
        late_ns += start_ns
        late_ns -= batch.time_ns
        self._lateness.add(late_ns)
        direction.sent += taken
        self._unsent += count - taken

    def _obey(self) -> bool:
        """Carry out the parent's orders; False when the last one was to stop."""
        while True:
            order, _ = self._pipe.receive()
            if order == "stop":
                return False
            if isinstance(order, Conditions):
                # What still waits under the old conditions belongs to nobody any more.
                self._up.pending.discard()
                self._down.pending.discard()
                self._begin(order)
                self._pipe.send("configured")
            elif order == "counters":
                self._pipe.send(self._counters())
            if not self._pipe.holds_message:
                return True

    def _socket_counts(self) -> tuple[int, int, int]:
        return self._sock.dropped() + self._flows.dropped, self._flows.refused, self._flows.expired

    def _counters(self) -> RelayCounters:
        now_ns = monotonic_ns()
        dropped, refused, expired = (
            now - before for now, before in zip(self._socket_counts(), self._before, strict=True)
        )
        return RelayCounters(
            up=self._up.chain.counters,
            down=self._down.chain.counters,
            course_up=self._up.chain.course(now_ns),
            course_down=self._down.chain.course(now_ns),
            sent_up=self._up.sent,
            sent_down=self._down.sent,
            pending_up=self._up.pending.count,
            pending_down=self._down.pending.count,
            flows=len(self._flows),
            expired=expired,
            refused=refused,
            carrier=self._sock.carrier,
            lateness=self._lateness.summary(),
            socket_dropped=dropped,
            overrun=self._overrun,
            unsent=self._unsent,
            delay_up=self._up.delay,
            delay_down=self._down.delay,
        )
