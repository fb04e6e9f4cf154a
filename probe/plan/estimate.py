"""What a run would send, and how long it takes, before a packet is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from probe.methods.protection import Protection
from probe.methods.schedule import StreamSpec, schedule
from probe.metrics import T_MAX_NS
from probe.plan.expand import NodeSchedule, SessionSpec

SESSION_OVERHEAD_NS = 700_000_000
"""Set-up, final log and clean-up of a session beside its stream and the T_max tail; measured on loopback."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Sums over sessions. Bytes are those of RTP packets, without UDP/IP; retransmissions are not foreseen.

    `rate_bps` is the most that is under way upward at one moment, `duration_ns` the time from start to end.
    """

    sessions: int
    streams: int
    packets: int
    bytes_up: int
    bytes_down: int
    rate_bps: int
    duration_ns: int


def estimate_session(session: SessionSpec) -> Estimate:
    """One session: packets up (and as many reflected, unless the stream is one-way)."""
    stream = session.scenario.stream
    packets, size = _stream(stream, session.scenario.recovery.protection)
    calls = stream.calls
    return Estimate(
        1,
        calls,
        packets * calls,
        size * calls,
        0 if stream.one_way else size * calls,
        round(size * calls * 8 * 1_000_000_000 / stream.duration_ns),
        stream.duration_ns + T_MAX_NS + SESSION_OVERHEAD_NS,
    )


def estimate_node(schedule: NodeSchedule) -> Estimate:
    """One node: its sessions one after the other."""
    return _sum([estimate_session(session) for session in schedule.sessions], side_by_side=False)


def estimate_run(schedules: Iterable[NodeSchedule]) -> Estimate:
    """The whole run: nodes side by side."""
    return _sum([estimate_node(schedule) for schedule in schedules], side_by_side=True)


def _sum(parts: list[Estimate], *, side_by_side: bool) -> Estimate:
    rates, durations = [part.rate_bps for part in parts], [part.duration_ns for part in parts]
    return Estimate(
        sum(part.sessions for part in parts),
        sum(part.streams for part in parts),
        sum(part.packets for part in parts),
        sum(part.bytes_up for part in parts),
        sum(part.bytes_down for part in parts),
        sum(rates) if side_by_side else max(rates, default=0),
        max(durations, default=0) if side_by_side else sum(durations),
    )


@cache
def _stream(stream: StreamSpec, protection: Protection) -> tuple[int, int]:
    """Packets and bytes of one stream with RED and parity; the sizes are drawn, so a run's differ by a per cent or two."""
    plan = schedule(stream, np.random.default_rng(0))
    return plan.packets, int(plan.size.sum(dtype=np.int64)) + protection.bytes_beside(plan.size)
