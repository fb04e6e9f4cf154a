"""Is the measurement itself good enough to judge somebody else by?

| fact | degraded | invalid |
|---|---|---|
| packets we were too late to send, of those scheduled | > 1 % | > 5 % |
| lateness of sending, 99th percentile | > 5 ms | |
| policed by the node, of those sent | > 0 | > 0.1 % |
| dropped in a socket of ours or the node's, of those sent | > 0 | > 0.1 % |
| longest stall of our packet loop | > 20 ms | |
| processor time stolen from this host | > 5 % | |
| step of this host's wall clock during the session | > 100 ms | |
| packets whose direction of loss is unknown | > 0 | |
| nothing could be sent | | always |

Limits: quality.md 4.9's preconditions of a valid run. An invalid session counts neither for nor
against a vendor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from probe.analysis.clock import NodeClock
from probe.analysis.one_way import Mask
from probe.analysis.population import Population
from probe.analysis.results import GRADE_DEGRADED, GRADE_GOOD, GRADE_INVALID
from probe.metrics import NEVER, Rows, Stamp
from probe.records import COMPLETED, Json, SessionRecord

GRADES = (GRADE_GOOD, GRADE_DEGRADED, GRADE_INVALID)
"""From best to worst."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A fact above `degraded` degrades the measurement, above `invalid` makes it worthless."""

    code: str
    unit: str
    degraded: float
    invalid: float | None = None


LIMITS = (
    Limit("host_late", "ratio", 0.01, 0.05),
    Limit("lateness_p99", "ms", 5.0),
    Limit("policed", "ratio", 0.0, 0.001),
    Limit("socket_dropped", "ratio", 0.0, 0.001),
    Limit("stall", "ms", 20.0),
    Limit("steal", "ratio", 0.05),
    Limit("clock_step", "ms", 100.0),
    Limit("log_missing", "ratio", 0.0),
)


def worst_grade(grades: list[str]) -> str:
    """The worst; `good` of none."""
    return max(grades, key=GRADES.index, default=GRADE_GOOD)


def grade(record: SessionRecord, rows: Rows, sent: Mask, counts: Mapping[str, int], clock: NodeClock) -> Json:
    """`{"grade", "reasons", "stamps", "lateness_ms", "drops", "clock"}` of one session.

    Host facts are read from `record.quality`: `stall_ms`, `steal_ratio`, `clock_step_ms`; those absent
    were not observed and are not judged.
    """
    lateness = Population.of_ns((rows["sent_ns"] - rows["scheduled_ns"])[sent])
    sent_or_one = max(counts["sent"], 1)
    facts = {
        "host_late": counts["unsent_host_late"] / max(counts["scheduled"], 1),
        "lateness_p99": lateness.value("p99"),
        "policed": counts["policed"] / sent_or_one,
        "socket_dropped": counts["socket_dropped"] / sent_or_one,
        "stall": record.quality.get("stall_ms"),
        "steal": record.quality.get("steal_ratio"),
        "clock_step": _magnitude(record.quality.get("clock_step_ms")),
        "log_missing": counts["lost_unknown"] / sent_or_one,
    }
    judged = [_judge(limit, facts[limit.code]) for limit in LIMITS]
    reasons = [reason for reason in judged if reason is not None]
    if record.outcome == COMPLETED and counts["sent"] == 0:
        reasons.append({"code": "nothing_sent", "grade": GRADE_INVALID})
    return {
        "grade": worst_grade([reason["grade"] for reason in reasons]),
        "reasons": reasons,
        "stamps": _stamp_sources(rows, sent),
        "lateness_ms": {name: lateness.value(name) for name in ("p50", "p99", "max")},
        "drops": {name: counts[name] for name in ("policed", "socket_dropped", "corrupt")},
        "clock": clock.to_json(),
    }


def _magnitude(value: Any) -> float | None:
    return None if value is None else abs(float(value))


def _judge(limit: Limit, value: Any) -> Json | None:
    if value is None or value <= limit.degraded:
        return None
    invalid = limit.invalid is not None and value > limit.invalid
    return {
        "code": limit.code,
        "grade": GRADE_INVALID if invalid else GRADE_DEGRADED,
        "value": float(value),
        "limit": limit.invalid if invalid else limit.degraded,
        "unit": limit.unit,
    }


def _stamp_sources(rows: Rows, sent: Mask) -> Json:
    """`kernel`, `user` or `mixed` for each of a packet's four times; None where there is none."""
    fields = {
        "sent": (Stamp.SENT, "sent_ns"),
        "node_received": (Stamp.NODE_RECEIVED, "node_received_ns"),
        "node_sent": (Stamp.NODE_SENT, "node_sent_ns"),
        "received": (Stamp.RECEIVED, "received_ns"),
    }
    sources: Json = {}
    for name, (bit, column) in fields.items():
        stamped = sent & (rows[column] != NEVER)
        total = int(np.count_nonzero(stamped))
        kernel = int(np.count_nonzero(stamped & ((rows["stamps"] & bit) != 0)))
        sources[name] = {0: "user", total: "kernel"}.get(kernel, "mixed") if total else None
    return sources
