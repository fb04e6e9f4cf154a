"""Which sessions may speak for or against a vendor, and why the others may not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from probe.analysis.results import GRADE_INVALID, SessionSummary
from probe.records import COMPLETED, DIED, FAILED, INTERRUPTED, UNREACHABLE, Json, SessionRecord

CONTROL = "control"
SAME_TIME = timedelta(minutes=2)
"""A control session this near tells about the vendor session's uplink."""


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
        witnesses = _witnesses(record, [control for control in controls if control.run_id == record.run_id])
        if witnesses and not any(answered(control) for control in witnesses):
            return {"code": "controls_down", "controls": sorted({control.node for control in witnesses})}
    return None


def _witnesses(record: SessionRecord, controls: list[SessionRecord]) -> list[SessionRecord]:
    """The controls measured at the session's time; all of the run's if there was none."""
    return [control for control in controls if simultaneous(record, control)] or controls


def simultaneous(record: SessionRecord, control: SessionRecord) -> bool:
    """Whether both were measured at the same minutes."""
    start, end = _span(record)
    return _span(control)[0] <= end + SAME_TIME and _span(control)[1] >= start - SAME_TIME


def _span(record: SessionRecord) -> tuple[datetime, datetime]:
    start = datetime.fromisoformat(record.started_at)
    return start, start + timedelta(microseconds=record.duration_ns / 1000)


def answered(record: SessionRecord) -> bool:
    """Whether the far side answered and stayed."""
    return record.outcome == COMPLETED or (record.outcome == INTERRUPTED and record.connect_ms is not None)
