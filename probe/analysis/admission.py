"""Which sessions may speak for or against a vendor, and why the others may not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from probe.analysis.results import GRADE_INVALID, SessionSummary
from probe.analysis.witnesses import controls_at
from probe.records import DIED, FAILED, UNREACHABLE, Json, SessionRecord

CONTROL = "control"


class Examined(NamedTuple):
    """A session and, if it is not to be judged, the reason (ours, never the vendor's)."""

    summary: SessionSummary
    objection: Json | None

    @property
    def record(self) -> SessionRecord:
        return self.summary.record


def examine(summaries: Iterable[SessionSummary]) -> list[Examined]:
    """Object to sessions that failed on our side, measured badly, or had no working uplink."""
    sessions = list(summaries)
    controls = [session.record for session in sessions if session.record.role == CONTROL]
    return [Examined(session, _objection(session, controls)) for session in sessions]


def _objection(session: SessionSummary, controls: Sequence[SessionRecord]) -> Json | None:
    record = session.record
    if record.outcome == FAILED:
        return {"code": "our_side", "error": record.error or {}}
    if session.grade == GRADE_INVALID:
        reasons = [reason for reason in session.quality["reasons"] if reason["grade"] == GRADE_INVALID]
        return {"code": "invalid_measurement", "reasons": reasons}
    if record.role != CONTROL and record.outcome in (UNREACHABLE, DIED):
        up, down = controls_at(record, controls)
        if down and not up:
            return {"code": "controls_down", "controls": sorted(down)}
    return None
