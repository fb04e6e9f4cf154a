"""One value against one limit, and whether there is enough behind it to say so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from probe.analysis.admission import Examined
from probe.analysis.cells import packets, pool, unresolved, why_nothing
from probe.analysis.delay import median
from probe.analysis.peak import Comparison
from probe.analysis.population import Population, Share
from probe.analysis.results import FAIL, INCONCLUSIVE, NOT_MEASURED, PASS, Poolable
from probe.objectives import METRICS, Evidence, Expression
from probe.records import DIED, UNREACHABLE, Json


@dataclass(frozen=True, slots=True)
class Decision:
    """`value` is in the expression's unit, possibly infinite; None without data."""

    value: float | None
    n: int
    verdict: str
    reason: Json


def decide(expression: Expression, sessions: Sequence[Examined], evidence: Evidence) -> Decision:
    """Judge the pooled value of sessions none of which is objected to."""
    values = pool(sessions, expression.metric)
    value = None if values is None else values.value(expression.aggregate)
    if values is None or value is None:
        reason = why_nothing(expression.metric, sessions)
        verdict = NOT_MEASURED if reason["code"] in (UNREACHABLE, DIED) else INCONCLUSIVE
        return Decision(None, 0 if values is None else values.n, verdict, reason)
    too_little = insufficient(expression, values, sessions, evidence)
    if too_little is not None:
        return Decision(value, values.n, INCONCLUSIVE, too_little)
    decision = _against_limit(expression, value, values.n)
    if expression.metric == "reachable" and decision.verdict == FAIL:
        return replace(decision, reason=_not_reachable(sessions))
    if isinstance(values, Population) and math.isinf(value) and decision.verdict == FAIL:
        return replace(decision, reason={"code": "infinite", "lost": values.infinite, "n": values.n})
    return decision


def _against_limit(expression: Expression, value: float, n: int) -> Decision:
    if expression.holds(value):
        return Decision(value, n, PASS, {"code": "within_limit"})
    return Decision(value, n, FAIL, {"code": "beyond_limit"})


def insufficient(
    expression: Expression, values: Poolable, sessions: Sequence[Examined], evidence: Evidence
) -> Json | None:
    """Why the packets behind a value are too few for any verdict on it; None when they suffice."""
    metric = METRICS[expression.metric]
    if not metric.per_session:
        n = packets(sessions, metric.name)
        if n < evidence.min_packets:
            return {"code": "too_few_packets", "n": n, "min_packets": evidence.min_packets}
    found = unresolved(values, metric.name, expression.aggregate)
    if found is None and isinstance(values, Share) and not metric.per_session and expression.function is None:
        return _one_packet_decides(expression, values)
    return found


def _one_packet_decides(expression: Expression, share: Share) -> Json | None:
    """Differences finer than 1/n are below the resolution of a share (RFC 2330 11.3)."""
    neighbours = (Share(max(share.hits - 1, 0), share.n), Share(min(share.hits + 1, share.n), share.n))
    verdicts = {expression.holds(near.value() or 0.0) for near in (share, *neighbours)}
    return {"code": "one_packet_decides", "hits": share.hits, "n": share.n} if len(verdicts) > 1 else None


def _not_reachable(sessions: Sequence[Examined]) -> Json:
    outcomes = [session.record.outcome for session in sessions]
    return {
        "code": "not_reachable",
        "sessions": len(outcomes),
        "unreachable": outcomes.count(UNREACHABLE),
        "died": outcomes.count(DIED),
    }


def decide_peak(expression: Expression, found: Comparison) -> Decision:
    """Judge `peak_ratio` or `peak_shift`. A ratio to zero is no measure of a change."""
    value = found.ratio if expression.function == "peak_ratio" else found.shift
    n = min(found.n_peak, found.n_offpeak)
    if found.objection is not None:
        return Decision(value, n, INCONCLUSIVE, found.objection)
    if expression.function == "peak_ratio" and found.offpeak == 0:
        return Decision(value, n, INCONCLUSIVE, {"code": "offpeak_zero"})
    if value is None:
        return Decision(None, n, INCONCLUSIVE, {"code": "both_infinite"})
    return _against_limit(expression, value, n)


def decide_against_control(
    expression: Expression,
    sessions: Sequence[Examined],
    controls: Sequence[Sequence[Examined]],
    evidence: Evidence,
) -> Decision:
    """Judge the value less the control's: the median of the control nodes, one entry each."""
    ours = decide(expression, sessions, evidence)
    if ours.value is None or ours.verdict == INCONCLUSIVE:
        return replace(ours, value=None)
    levels, n = [], ours.n
    for control in controls:
        values = pool(control, expression.metric)
        level = None if values is None else values.value(expression.aggregate)
        if values is None or level is None or insufficient(expression, values, control, evidence):
            continue
        levels.append(level)
        n = min(n, values.n)
    if not levels:
        return Decision(
            None,
            ours.n,
            INCONCLUSIVE,
            {"code": "control_missing" if not controls else "control_without_data"},
        )
    level = median(np.array(levels))
    if math.isinf(level):
        return Decision(None, n, INCONCLUSIVE, {"code": "control_infinite"})
    return _against_limit(expression, ours.value - level, n)
