"""One session in virtual time: the same client, node and methods as over sockets, on an emulated path.

As fast as it computes, and the same packets for the same seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from probe.impairment.chain import Path
from probe.impairment.profile import Impairment, NetworkProfile
from probe.impairment.virtual import BatchCarrier
from probe.methods.batch import ADDRESS_BYTES
from probe.methods.media_client import MediaClient
from probe.methods.negotiation import UDP
from probe.methods.reflected_session import ReflectedSession
from probe.methods.reflector import Reflector
from probe.methods.running import Running
from probe.methods.schedule import SECOND_NS, Schedule, StreamSpec, schedule
from probe.metrics import NEVER, RUNNING, T_MAX_NS, Rows, empty_rows
from probe.records import COMPLETED, NOT_CONNECTED, SessionRecord
from probe.session.context import protection_of
from probe.session.merge import merge_log
from probe.wire.log import LOG
from probe.wire.media import SLOT_BITS

START_NS = SECOND_NS
"""Virtual monotonic time of the first packet."""
_TOKEN = bytes(range(16))
_SSRC_BASE = 1 << SLOT_BITS
_STEP_NS = 3 * SECOND_NS
_ATTEMPTS = 5


def run_virtual(
    record: SessionRecord, stream: StreamSpec, networks: Sequence[NetworkProfile], began_ns: int
) -> Rows:
    """Measure through `networks` in a row, the first next to the client; `record` is filled in.

    `began_ns` is the Unix time of the first packet. The record needs its `seed`; `packets`, `rate_pps`, connect
    phases, counters, outcome and `wall_offset_ns` are set. Returns the finished rows.
    """
    record.quality["virtual_time"] = True
    plan = schedule(stream, np.random.default_rng(record.seed))
    record.packets = plan.packets
    record.rate_pps = plan.packets * stream.calls / (stream.duration_ns / SECOND_NS)
    if record.transport != UDP:
        from probe.session.virtual_quic import run_virtual_quic

        return run_virtual_quic(record, stream, plan, networks, began_ns)
    record.wall_offset_ns = began_ns - START_NS
    if not _connected(record, stream, plan, networks):
        record.outcome, record.error = NOT_CONNECTED, {"code": "no_bind", "transport": UDP}
        return empty_rows(0)
    exchange = exchanged(
        lambda: _Exchange(record, stream, plan, networks),
        stream.duration_ns,
        in_steps=_loss_ratio(networks) * record.rate_pps * _STEP_NS < SECOND_NS,
    )
    rows, session, client, path = exchange.rows, exchange.session, exchange.client, exchange.path
    merge_log(rows, exchange.log[: session.counts.logged], streams=stream.calls)
    rows = Running(rows, plan, START_NS).samples()
    record.client |= asdict(client.counts) | {"nacks_sent": client.nacks_sent}
    record.counters = asdict(session.counts)
    record.impairment = path.report(exchange.carrier.now_ns)
    record.outcome = COMPLETED
    back = rows["received_ns"] != NEVER
    if back.any():
        first = np.flatnonzero(back)[0]
        record.first_packet_ms = float(rows["received_ns"][first] - rows["sent_ns"][first]) / 1e6
        phases = (record.resolve_ms, record.handshake_ms, record.bind_ms, record.first_packet_ms)
        record.connect_ms = sum(phase for phase in phases if phase is not None)
    return rows


class _Exchange:
    """Client and node at both ends of the path, before the first packet."""

    def __init__(
        self, record: SessionRecord, stream: StreamSpec, plan: Schedule, networks: Sequence[NetworkProfile]
    ) -> None:
        self.path = Path.through(networks, record.seed)
        self.rows = empty_rows(stream.calls * plan.packets, RUNNING)
        self.client = MediaClient(
            stream,
            plan,
            self.rows,
            ssrc_base=_SSRC_BASE,
            token=_TOKEN,
            nack=record.nack,
            start_ns=START_NS,
            protection=protection_of(record),
        )
        self.log = np.zeros(2 * len(self.rows) + 1024, LOG)
        self.session = _session(record, stream, plan, self.log)
        self.session.bind(np.zeros(ADDRESS_BYTES, np.uint8))
        reflector = Reflector(_TOKEN)
        reflector.open(self.session)
        self.carrier = BatchCarrier(self.client, reflector, self.path, start_ns=START_NS)

    def repairs(self) -> tuple[int, ...]:
        """Changes whenever one end reacts to what it hears."""
        client, node = self.client.counts, self.session.counts
        sent = (self.client.nacks_sent, client.retransmissions_sent, node.retransmissions_sent)
        return (*sent, client.nacks_received, node.nacks_received)

    def step(self, until_ns: int) -> bool:
        """Go on to `until_ns` in one go; whether nothing happened that forbids it."""
        before = self.repairs()
        return self.carrier.run_apart(until_ns) and self.repairs() == before


def exchanged(begin: Callable[[], _Exchange], duration_ns: int, *, in_steps: bool) -> _Exchange:
    """Run an exchange to its end: in long steps where nothing is lost, as the carrier does where something is.

    A step that turns out wrong is run the slow way in another exchange from the start, which is the same up to
    there: both draw from the same seeds.
    """
    end_ns = START_NS + duration_ns + 2 * T_MAX_NS
    steps = [*range(START_NS + _STEP_NS, end_ns, _STEP_NS), end_ns]
    slow = set[int]()
    for attempt in range(_ATTEMPTS + 1):
        exchange = begin()
        for number, until_ns in enumerate(steps):
            if number in slow or attempt == _ATTEMPTS or not in_steps:
                exchange.carrier.run(until_ns)
            elif not exchange.step(until_ns):
                slow |= {number, number + 1}
                break
        else:
            break
    return exchange


def _loss_ratio(networks: Sequence[NetworkProfile]) -> float:
    """The most that is lost at a time."""
    ways = [way for network in networks for way in (network.up, network.down)]
    return sum(max(_loss(one) for one in conditions_of(way)) for way in ways)


def conditions_of(way: Impairment) -> list[Impairment]:
    """All that a direction is like over time."""
    return [way] if way.timeline is None else [step.impairment for step in way.timeline.steps]


def _loss(way: Impairment) -> float:
    return 0.0 if way.loss is None else way.loss.ratio


def _session(
    record: SessionRecord, stream: StreamSpec, plan: Schedule, log: NDArray[np.void]
) -> ReflectedSession:
    """The node's side of the session."""
    protection = protection_of(record)
    return ReflectedSession(
        1,
        _TOKEN,
        ssrc_base=_SSRC_BASE,
        streams=stream.calls,
        packets=plan.packets,
        rate_pps=record.rate_pps * protection.packets_ratio(),
        nack=record.nack,
        one_way=stream.one_way,
        log_rows=log,
        protection=protection,
    )


def _connected(
    record: SessionRecord, stream: StreamSpec, plan: Schedule, networks: Sequence[NetworkProfile]
) -> bool:
    """Fill in the connect phases, on the same path with other draws; whether there is a session."""
    from probe.session.virtual_connect import connect_udp

    reflector = Reflector(_TOKEN)
    reflector.open(_session(record, stream, plan, np.zeros(0, LOG)))
    path = Path.through(networks, record.seed + 1)
    return connect_udp(record, reflector, path, ssrc=_SSRC_BASE, token=_TOKEN)
