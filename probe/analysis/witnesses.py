"""Whether our controls answered at the moment a vendor's node did not: ours or theirs?

A control tells about that moment by a session that spans it; else by failing within some seconds of it, because
each side notices a dead path at its own time; else by its session nearest in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from probe.records import COMPLETED, DIED, INTERRUPTED, NOT_CONNECTED, UNREACHABLE, SessionRecord

SKEW = timedelta(seconds=10)
"""A dead control connection is noticed after its last word by up to `probe.net.quic.DEAD_S`, on each side."""


def answered(record: SessionRecord) -> bool:
    """Whether the far side answered and stayed."""
    interrupted = record.outcome == INTERRUPTED and record.connect_ms is not None
    return record.outcome in (COMPLETED, NOT_CONNECTED) or interrupted


def controls_at(
    failed: SessionRecord, controls: Iterable[SessionRecord]
) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the controls of the same run that were up when `failed` failed, and of those that were not.

    Control sessions that our own side failed are no witnesses.
    """
    moment = _span(failed)[failed.outcome == DIED]
    by_node: dict[str, list[SessionRecord]] = {}
    for control in controls:
        if control.run_id == failed.run_id and (answered(control) or _silent(control)):
            by_node.setdefault(control.node, []).append(control)
    up = {node for node, sessions in by_node.items() if _was_up(moment, sessions)}
    return frozenset(up), frozenset(by_node.keys() - up)


def _was_up(moment: datetime, sessions: list[SessionRecord]) -> bool:
    found = sorted(((_distance(record, moment), record) for record in sessions), key=lambda item: item[0])
    if any(answered(record) for distance, record in found if not distance):
        return True
    if any(_silent(record) for distance, record in found if distance <= SKEW):
        return False
    return answered(found[0][1])


SAME_TIME = timedelta(minutes=2)
"""A control session this near tells of the same minutes."""


def simultaneous(record: SessionRecord, control: SessionRecord) -> bool:
    """Whether both were measured at the same minutes."""
    start, end = _span(record)
    return _span(control)[0] <= end + SAME_TIME and _span(control)[1] >= start - SAME_TIME


def _silent(record: SessionRecord) -> bool:
    return record.outcome in (UNREACHABLE, DIED)


def _distance(record: SessionRecord, moment: datetime) -> timedelta:
    start, end = _span(record)
    return max(start - moment, moment - end, timedelta())


def _span(record: SessionRecord) -> tuple[datetime, datetime]:
    start = datetime.fromisoformat(record.started_at)
    if record.ended_at is not None:
        return start, datetime.fromisoformat(record.ended_at)
    return start, start + timedelta(microseconds=record.duration_ns / 1000)
