"""Is the measurement itself good enough to judge somebody else by?

`LIMITS` says when it is not; docs/measurement.md explains each. An invalid session counts neither for nor against
a vendor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probe.analysis.clock import NodeClock
from probe.analysis.one_way import Mask
from probe.analysis.quality_facts import (
    drops,
    lateness_ms,
    network_excess,
    rate_pps,
    relay_lateness_ms,
    stall_in_delay,
    stamp_sources,
)
from probe.analysis.results import GRADE_DEGRADED, GRADE_GOOD, GRADE_INVALID
from probe.metrics import Rows
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
    Limit("backlog_dropped", "ratio", 0.0),
    Limit("node_backlog_dropped", "ratio", 0.0),
    Limit("relay_dropped", "ratio", 0.0, 0.001),
    Limit("lost_to_us", "ratio", 0.1, 0.1),
    Limit("relay_late", "ms", 5.0),
    Limit("network_off", "x", 1.0),
    Limit("stall", "ms", 20.0, 1000.0),
    Limit("node_stall", "ms", 20.0, 1000.0),
    Limit("stall_in_delay", "ms", 20.0, 100.0),
    Limit("steal", "ratio", 0.05, 0.2),
    Limit("node_steal", "ratio", 0.05, 0.2),
    Limit("clock_step", "ms", 100.0),
    Limit("node_clock_step", "ms", 100.0),
    Limit("log_missing", "ratio", 0.0),
)


def worst_grade(grades: list[str]) -> str:
    """The worst; `good` of none."""
    return max(grades, key=GRADES.index, default=GRADE_GOOD)


def grade(record: SessionRecord, rows: Rows, sent: Mask, counts: Mapping[str, int], clock: NodeClock) -> Json:
    """`grade` and `reasons` of one session, and the facts that they rest on; None is not observed."""
    facts: Json = {
        "stamps": stamp_sources(rows, sent),
        "lateness_ms": lateness_ms(record, rows, sent),
        "relay_lateness_ms": relay_lateness_ms(record),
        "network_excess": network_excess(record),
        "rate_pps": rate_pps(record),
        "drops": drops(record, dict(counts)),
        "node_stall_ms": _ms(record.counters.get("stall_ns")),
        "node_clock_step_ms": _ms(record.counters.get("clock_step_ns")),
        "node_steal_ratio": record.counters.get("steal_ratio"),
        "node_cpu_share": record.counters.get("cpu_share"),
        "carrier": record.client.get("carrier"),
        "clock": clock.to_json(),
    }
    for name in ("stamps_checked", "punctuality", "stall_ms", "steal_ratio", "cpu_share", "clock_step_ms"):
        facts[name] = record.quality.get(name)
    values = _judged(counts, facts)
    reasons = [reason for limit in LIMITS if (reason := judge(limit, values[limit.code]))]
    if record.outcome == COMPLETED and counts["sent"] == 0:
        reasons.append({"code": "nothing_sent", "grade": GRADE_INVALID})
    return {"grade": worst_grade([reason["grade"] for reason in reasons]), "reasons": reasons} | facts


def _judged(counts: Mapping[str, int], facts: Json) -> Json:
    """The value of each limit's code."""
    sent, lost = max(counts["sent"], 1), facts["drops"]
    relay = facts["relay_lateness_ms"] or {}
    return {
        "host_late": counts["unsent_host_late"] / max(counts["scheduled"], 1),
        "lateness_p99": facts["lateness_ms"]["p99"],
        "policed": counts["policed"] / sent,
        "socket_dropped": counts["socket_dropped"] / sent,
        "backlog_dropped": None if lost["backlog"] is None else lost["backlog"] / sent,
        "node_backlog_dropped": None if lost["node_backlog"] is None else lost["node_backlog"] / sent,
        "relay_dropped": lost["relay"] / sent,
        "lost_to_us": _share_of_losses(counts, lost),
        "relay_late": relay.get("p99"),
        "network_off": facts["network_excess"],
        "stall": facts["stall_ms"],
        "node_stall": facts["node_stall_ms"],
        "stall_in_delay": stall_in_delay(facts),
        "steal": facts["steal_ratio"],
        "node_steal": facts["node_steal_ratio"],
        "clock_step": _magnitude(facts["clock_step_ms"]),
        "node_clock_step": _magnitude(facts["node_clock_step_ms"]),
        "log_missing": counts["lost_unknown"] / sent,
    }


def _share_of_losses(counts: Mapping[str, int], drops: Json) -> float:
    """What our side dropped, of all that was lost: a count that nobody can take from the path's packet by packet."""
    lost = counts["lost_up"] + counts["lost_down"] + counts["lost_unknown"]
    ours = counts["policed"] + counts["socket_dropped"] + int(drops["relay"])
    return ours / lost if lost else 0.0


def judge(limit: Limit, value: Any) -> Json | None:
    """Why a value is beyond its limit; None when it is not, or was not observed."""
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


def _magnitude(value: Any) -> float | None:
    return None if value is None else abs(float(value))


def _ms(nanoseconds: Any) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6
