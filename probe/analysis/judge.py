"""Thresholds against measured values: pass, fail, inconclusive or not measured, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from probe.analysis.admission import CONTROL, Examined, examine
from probe.analysis.against_control import decide_against_control
from probe.analysis.attribution import attribute, evening_alone
from probe.analysis.cells import CELL, NODE, PEAK_CELL, PLACE, applies, blocks, group, matches
from probe.analysis.many import among_many
from probe.analysis.peak import compare, earlier
from probe.analysis.results import INCONCLUSIVE, NOT_MEASURED, Judgement, SessionSummary
from probe.analysis.units import by_day
from probe.analysis.verdict import Decision, decide, decide_peak
from probe.analysis.witnesses import controls_at
from probe.objectives import METRICS, Evidence, Expression, Threshold, parse_expression
from probe.records import DIED, UNREACHABLE

IMPLICIT = Threshold(parse_expression("reachable >= 100%"))
"""The gate of every node that no threshold of the plan asks to be reachable."""

WHO = ("vendor", "node", "isp", "city", "vantage")
PEAK_FUNCTIONS = ("peak_ratio", "peak_shift")


@dataclass(frozen=True, slots=True)
class Case:
    """All that a verdict can look at. `history`: sessions of earlier runs, for the peak functions."""

    evidence: Evidence
    vendors: Sequence[Examined]
    controls: Sequence[Examined]
    history: Sequence[Examined]


def judge(
    thresholds: Iterable[Threshold],
    evidence: Evidence,
    summaries: Iterable[SessionSummary],
    history: Iterable[SessionSummary] = (),
) -> list[Judgement]:
    """Judge every threshold on every cell it applies to, then that every node was reachable."""
    return judge_examined(list(thresholds), evidence, examine(summaries), examine(history))


def judge_examined(
    thresholds: Iterable[Threshold],
    evidence: Evidence,
    sessions: Sequence[Examined],
    history: Sequence[Examined] = (),
) -> list[Judgement]:
    """As `judge`, of sessions already examined."""
    vendors = [session for session in sessions if session.record.role != CONTROL]
    controls = [session for session in sessions if session.record.role == CONTROL]
    case = Case(evidence, vendors, controls, history)
    judged: list[Judgement] = []
    asked = set()
    for threshold in thresholds:
        found = _judge_threshold(threshold, case)
        judged += found
        if threshold.expression.metric == "reachable":
            asked |= {tuple(judgement.scope.get(key) for key in NODE) for judgement in found}
    for node, chosen in group(vendors, NODE).items():
        if node not in asked:
            judged.append(_judge_cell(IMPLICIT, NODE, node, chosen, case))
    return evening_alone(among_many(judged, evidence.confidence))


def _judge_threshold(threshold: Threshold, case: Case) -> list[Judgement]:
    """One judgement a cell, and one for each node the scope names but no session covers."""
    scope, expression = _scope(threshold), threshold.expression
    if _for_another_vantage(scope, case.vendors):
        return []
    keys = _cell_keys(expression)
    chosen = [
        session
        for session in case.vendors
        if matches(session.record, scope) and applies(session.record, expression.metric)
    ]
    judged = [_judge_cell(threshold, keys, key, cell, case) for key, cell in group(chosen, keys).items()]
    covered = set(group(chosen, NODE))
    meant = group((s for s in case.vendors if matches(s.record, scope, WHO)), NODE)
    missing = [dict(zip(NODE, node, strict=True)) for node in meant if node not in covered]
    if not meant:
        missing = [{}]
    return judged + [_no_coverage(threshold, dict(scope) | node) for node in missing]


def _scope(threshold: Threshold) -> dict[str, Any]:
    """The peak functions look at both windows, whatever the scope says."""
    peak = threshold.expression.function in PEAK_FUNCTIONS
    return {key: value for key, value in threshold.scope.items() if not (peak and key == "window")}


def _for_another_vantage(scope: Mapping[str, Any], vendors: Sequence[Examined]) -> bool:
    """Whether the threshold is for the run of another machine. A run of no vantage is nobody's."""
    named = [session.record.vantage for session in vendors]
    return (
        "vantage" in scope
        and None not in named
        and not any(matches(s.record, scope, ["vantage"]) for s in vendors)
    )


def _cell_keys(expression: Expression) -> tuple[str, ...]:
    if expression.function in PEAK_FUNCTIONS:
        return PEAK_CELL
    return NODE if METRICS[expression.metric].per_session else CELL


def _judge_cell(
    threshold: Threshold, keys: Sequence[str], key: tuple[Any, ...], cell: list[Examined], case: Case
) -> Judgement:
    scope = dict(zip(keys, key, strict=True))
    scope |= {name: value for name, value in _scope(threshold).items() if name in PLACE and name not in scope}
    heard = [session for session in cell if session.objection is None]
    if heard:
        decision = _decide(threshold.expression, keys, heard, case)
    else:
        decision = Decision(None, 0, NOT_MEASURED, cell[0].objection or {})
    decision, blame = attribute(threshold.expression, decision, heard, case.controls, case.evidence)
    reason = dict(decision.reason)
    if heard and len(heard) < len(cell):
        reason["set_aside"] = len(cell) - len(heard)
    if reason["code"] == "not_reachable":
        silent = [s.record for s in heard if s.record.outcome in (UNREACHABLE, DIED)]
        records = [control.record for control in case.controls]
        reason["controls"] = sorted({name for record in silent for name in controls_at(record, records)[0]})
    judged = _judgement(threshold, scope, replace(decision, reason=reason), blocks(heard, case.evidence))
    return replace(judged, sessions=len(heard), days=len(by_day(heard)), attribution=blame)


def _decide(expression: Expression, keys: Sequence[str], heard: list[Examined], case: Case) -> Decision:
    evidence = case.evidence
    if expression.function in PEAK_FUNCTIONS:
        sessions = [*heard, *earlier(case.history, heard)]
        return decide_peak(expression, compare(sessions, expression.metric, expression.aggregate, evidence))
    if expression.function == "vs_control":
        alike = [key for key in keys if key in PLACE]
        place = {name: getattr(heard[0].record, name) for name in alike}
        beside = [s for s in case.controls if s.objection is None and matches(s.record, place)]
        controls = list(group(beside, NODE).values())
        return decide_against_control(expression, heard, controls, evidence)
    return decide(expression, heard, evidence)


def _no_coverage(threshold: Threshold, scope: Mapping[str, Any]) -> Judgement:
    return _judgement(threshold, scope, Decision(None, 0, INCONCLUSIVE, {"code": "no_coverage"}), 0)


def _judgement(threshold: Threshold, scope: Mapping[str, Any], decision: Decision, spanned: int) -> Judgement:
    expression, found = threshold.expression, decision.found
    bounds = {"value": decision.value}
    if found is not None:
        bounds |= {"low": found.low, "high": found.high}
    infinite = tuple(name for name, bound in bounds.items() if bound is not None and math.isinf(bound))
    shown = {name: None if name in infinite else bound for name, bound in bounds.items()}
    return Judgement(
        expr=expression.text,
        scope=scope,
        value=shown["value"],
        unit=expression.unit,
        n=decision.n,
        verdict=decision.verdict,
        severity=threshold.severity,
        reason=decision.reason,
        low=shown.get("low"),
        high=shown.get("high"),
        blocks=spanned,
        file=threshold.file,
        line=threshold.line,
        infinite=infinite,
        n_eff=None if found is None else found.n_eff,
        counted_in=None if found is None else found.kind,
        chance=None if found is None else found.chance,
    )
