"""Own fault or theirs: what the control of the same minutes says about a failed threshold (quality.md 5.1).

| control | vendor | whose |
|---|---|---|
| bad too | bad | `own_side`: our uplink or ISP, which the path trace will tell apart; not measured |
| good | bad in every window | `vendor`: the node or its last mile |
| good | bad in the evening alone | `vendor_evening`: its peering or capacity |
| none at these minutes, or too little of it | bad | `unknown` |
| bad | good | nothing is held against anyone; the control needs another place (`control_fault`) |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from probe.analysis.admission import Examined
from probe.analysis.cells import NODE, PLACE, group, matches, pool
from probe.analysis.results import FAIL, NOT_MEASURED, PASS, Judgement
from probe.analysis.verdict import Decision, decide
from probe.analysis.witnesses import simultaneous
from probe.objectives import METRICS, Evidence, Expression
from probe.records import Json

OWN_SIDE, VENDOR, VENDOR_EVENING, UNKNOWN, CONTROL_FAULT = (
    "own_side",
    "vendor",
    "vendor_evening",
    "unknown",
    "control_fault",
)


def attribute(
    expression: Expression,
    decision: Decision,
    sessions: Sequence[Examined],
    controls: Sequence[Examined],
    evidence: Evidence,
) -> tuple[Decision, Json | None]:
    """Whose fault a failure is; our own cannot fail a vendor. None where nothing is to be attributed.

    Controls count that were measured in the same way within the same minutes, all their nodes together.
    """
    if decision.verdict not in (FAIL, PASS) or expression.metric == "reachable" or expression.function:
        return decision, None
    beside = _beside(sessions, controls, per_session=METRICS[expression.metric].per_session)
    if not beside:
        return decision, {"whose": UNKNOWN} if decision.verdict == FAIL else None
    judged = {node: decide(expression, chosen, evidence) for node, chosen in group(beside, NODE).items()}
    values = pool(beside, expression.metric)
    facts: Json = {
        "controls": sorted(node for _, node in judged),
        "control": None if values is None else values.value(expression.aggregate),
        "sessions": len(beside),
    }
    if facts["control"] == float("inf"):
        facts |= {"control": None, "control_infinite": True}
    verdicts = {found.verdict for found in judged.values()}
    if decision.verdict == PASS:
        return decision, ({"whose": CONTROL_FAULT} | facts) if verdicts == {FAIL} else None
    if verdicts == {FAIL}:
        reason = {"code": "own_side", "controls": facts["controls"]}
        return replace(decision, verdict=NOT_MEASURED, reason=reason), {"whose": OWN_SIDE} | facts
    return decision, {"whose": VENDOR if PASS in verdicts else UNKNOWN} | facts


def _beside(
    sessions: Sequence[Examined], controls: Sequence[Examined], *, per_session: bool
) -> list[Examined]:
    """Control sessions that ran at the minutes of one of the sessions, in the same way."""
    found = []
    for control in controls:
        place: dict[str, Any] = {} if per_session else {k: getattr(control.record, k) for k in PLACE}
        alike = [s for s in sessions if matches(s.record, place)]
        if control.objection is None and any(simultaneous(s.record, control.record) for s in alike):
            found.append(control)
    return found


def evening_alone(judged: Sequence[Judgement]) -> list[Judgement]:
    """Tell a vendor that is bad in the evening alone from one that is bad all day."""
    kept = {
        _elsewhere(one)
        for one in judged
        if one.verdict == PASS and one.scope.get("window") not in (None, "peak")
    }
    result = []
    for one in judged:
        whose = (one.attribution or {}).get("whose")
        if one.scope.get("window") == "peak" and whose == VENDOR and _elsewhere(one) in kept:
            blame = dict(one.attribution or {}) | {"whose": VENDOR_EVENING}
            result.append(replace(one, attribution=blame))
        else:
            result.append(one)
    return result


def _elsewhere(one: Judgement) -> tuple[Any, ...]:
    """The same question, whatever the window."""
    return one.expr, *((key, str(value)) for key, value in sorted(one.scope.items()) if key != "window")
