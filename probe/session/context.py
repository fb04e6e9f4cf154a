"""What all sessions of a run share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from probe.impairment.profile import NetworkProfile
from probe.methods.protection import Protection
from probe.net.job import USUAL, Carriage
from probe.plan.expand import NodeSchedule, SessionSpec
from probe.plan.model import Vantage
from probe.records import SessionRecord
from probe.session.begun import begun_record
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
        record = begun_record(
            node,
            spec,
            datetime.now(UTC),
            run_id=self.run_id,
            country=self.country,
            vantage=self.vantage.name if self.vantage else None,
            seed=self.seed,
            index=next(self._numbers),
        )
        record.look = self.look
        return record


def protection_of(record: SessionRecord) -> Protection:
    """What leaves with the media of a session."""
    return Protection(record.red, record.fec_k, record.fec_interleave)
