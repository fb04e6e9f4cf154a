"""The record of a session that begins: what the plan says of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from probe.plan.expand import NodeSchedule, SessionSpec
from probe.records import SessionRecord


def begun_record(
    node: NodeSchedule,
    spec: SessionSpec,
    now: datetime,
    *,
    run_id: str,
    country: str,
    vantage: str | None,
    seed: int,
    index: int,
) -> SessionRecord:
    """`seed` is the run's; the session's own follows from it and the session's number."""
    stream, endpoint = spec.scenario.stream, node.node.endpoint
    return SessionRecord(
        run_id=run_id,
        index=index,
        country=country,
        vendor=node.vendor,
        node=node.node.name,
        role=node.role,
        scenario=spec.scenario_name,
        network=spec.network,
        window=spec.window,
        transport=spec.transport,
        endpoint=str(endpoint),
        emulated=endpoint.emulated,
        seed=int(np.random.SeedSequence([seed, index]).generate_state(1)[0]),
        started_at=now.astimezone(UTC).isoformat(timespec="milliseconds"),
        local_time=now.astimezone(ZoneInfo(node.timezone)).isoformat(timespec="seconds"),
        timezone=node.timezone,
        calls=stream.calls,
        packets=0,
        rate_pps=0.0,
        interval_ns=stream.interval_ns,
        duration_ns=stream.duration_ns,
        deadline_ns=spec.scenario.deadline,
        one_way=stream.one_way,
        nack=spec.scenario.recovery.nack and spec.transport == "udp",
        **asdict(spec.scenario.recovery.protection),
        vantage=vantage,
        isp=node.node.isp,
        city=node.node.city,
        claim=spec.claim,
        claim_loss=spec.claim_loss,
    )
