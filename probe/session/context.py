"""What all sessions of a run share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import count
from zoneinfo import ZoneInfo

import numpy as np

from probe.impairment.profile import NetworkProfile
from probe.methods.protection import Protection
from probe.net.job import USUAL, Carriage
from probe.plan.expand import NodeSchedule, SessionSpec
from probe.plan.model import Vantage
from probe.records import SessionRecord
from probe.session.progress import Listener
from probe.session.stopping import Stopping
from probe.store.writer import RunWriter


@dataclass(slots=True)
class RunContext:
    """`look` numbers what is measured on (`evidence.extend_up_to`). `seed` is the run's; every session's own follows from it and the session's number."""

    run_id: str
    country: str
    seed: int
    writer: RunWriter
    networks: Mapping[str, NetworkProfile]
    vantage: Vantage | None
    listener: Listener
    stopping: Stopping
    carriage: Carriage = USUAL
    look: int = 0
    _numbers: count[int] = field(default_factory=count)

    def new_record(self, node: NodeSchedule, spec: SessionSpec) -> SessionRecord:
        """The record of a session that starts now."""
        index = next(self._numbers)
        stream = spec.scenario.stream
        now = datetime.now(UTC)
        endpoint = node.node.endpoint
        return SessionRecord(
            run_id=self.run_id,
            index=index,
            country=self.country,
            vendor=node.vendor,
            node=node.node.name,
            role=node.role,
            scenario=spec.scenario_name,
            network=spec.network,
            window=spec.window,
            transport=spec.transport,
            endpoint=str(endpoint),
            emulated=endpoint.emulated,
            seed=int(np.random.SeedSequence([self.seed, index]).generate_state(1)[0]),
            started_at=now.isoformat(timespec="milliseconds"),
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
            vantage=self.vantage.name if self.vantage else None,
            isp=node.node.isp,
            city=node.node.city,
            claim=spec.claim,
            claim_loss=spec.claim_loss,
            look=self.look,
        )


def protection_of(record: SessionRecord) -> Protection:
    """What leaves with the media of a session."""
    return Protection(record.red, record.fec_k, record.fec_interleave)
