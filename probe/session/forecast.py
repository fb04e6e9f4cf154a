"""What a network would do to calls: the scenarios' own streams through it in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from probe.analysis.e_model import G711_PLC
from probe.analysis.results import SessionSummary
from probe.analysis.series_source import of_session
from probe.analysis.session import analyse_session
from probe.analysis.stream_metrics import Settings, StreamMetrics, stream_metrics
from probe.impairment.profile import NetworkProfile
from probe.metrics import NEVER, Rows
from probe.plan.scalars import format_duration
from probe.plan.scenario import Scenario
from probe.records import COMPLETED, SessionRecord
from probe.session.virtual import START_NS, run_virtual

EPOCH = "1970-01-01T00:00:00.000+00:00"
"""No clock on the wall plays a part."""

VOICE = "voice"
CALLS = (VOICE, "video")
WAYS: tuple[Literal["up", "down"], ...] = ("up", "down")
ATTEMPTS = 3
_CROSSING = {"up": ("sent_ns", "node_received_ns"), "down": ("node_sent_ns", "received_ns")}


def scenarios_of(duration_ns: int) -> dict[str, Scenario]:
    """Voice and video as a plan would have them without further words."""
    return {name: Scenario(preset=name, duration=format_duration(duration_ns)) for name in CALLS}  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Call:
    """A session, and how many were begun until one came about; what a player of each direction's media would
    have had to do (None: there is none)."""

    summary: SessionSummary
    attempts: int
    up: StreamMetrics | None
    down: StreamMetrics | None


def forecast(network: NetworkProfile, scenarios: Mapping[str, Scenario], seed: int) -> list[Call]:
    """A session of each scenario to a node behind `network`, from the moment its time line begins.

    Nothing is sent and nothing stored; the same seed gives the same packets. A session that the network keeps from
    connecting is begun again, `ATTEMPTS` times at most.
    """
    return [_call(network, name, index, scenarios, seed) for index, name in enumerate(scenarios)]


def _call(
    network: NetworkProfile, name: str, index: int, scenarios: Mapping[str, Scenario], seed: int
) -> Call:
    scenario, attempt = scenarios[name], 0
    while True:
        words = np.random.SeedSequence([seed, index, attempt]).generate_state(1)
        record = _record(network, name, scenario, index, int(words[0]))
        rows = run_virtual(record, scenario.stream, [network], START_NS)  # one clock at both ends
        attempt += 1
        if record.outcome == COMPLETED or attempt == ATTEMPTS:
            played = {way: _played(record, rows, way) for way in WAYS}
            return Call(analyse_session(record, rows), attempt, **played)


def _played(record: SessionRecord, rows: Rows, way: Literal["up", "down"]) -> StreamMetrics | None:
    """Of a session's only stream; both ends have one clock here, so its least delay is the path's."""
    left, came = (rows[name] for name in _CROSSING[way])
    crossed = (left != NEVER) & (came != NEVER)
    found = of_session(record, rows, way) if crossed.any() else []
    if not found:
        return None
    least_ms = float((came - left)[crossed].min()) / 1e6
    codec = G711_PLC if record.scenario == VOICE else None
    settings = Settings(record.deadline_ns, one_way_ms=(least_ms, least_ms), codec=codec)
    return stream_metrics(found[0], settings)


def _record(network: NetworkProfile, name: str, scenario: Scenario, index: int, seed: int) -> SessionRecord:
    stream = scenario.stream
    return SessionRecord(
        run_id="",
        index=index,
        country="",
        vendor="virtual",
        node="node",
        role="vendor",
        scenario=name,
        network=network.name,
        window="other",
        transport="udp",
        endpoint="virtual",
        emulated=True,
        seed=seed,
        started_at=EPOCH,
        local_time=EPOCH,
        timezone="UTC",
        calls=stream.calls,
        packets=0,
        rate_pps=0.0,
        interval_ns=stream.interval_ns,
        duration_ns=stream.duration_ns,
        deadline_ns=scenario.deadline,
        one_way=stream.one_way,
        nack=scenario.recovery.nack,
    )
