"""One value against one limit, and whether there is enough behind it to say so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from probe.analysis.admission import Examined
from probe.analysis.cells import packets, pool, unresolved, why_nothing
from probe.analysis.estimate import Estimate, estimate
from probe.analysis.intervals import least_n
from probe.analysis.more import as_much, blocks_more, to_decide
from probe.analysis.peak import Comparison
from probe.analysis.population import PER_MILLE, Population
from probe.analysis.results import FAIL, INCONCLUSIVE, NOT_MEASURED, PASS, Poolable
from probe.analysis.units import units_of
from probe.analysis.worst_values import Worst
from probe.objectives import METRICS, Evidence, Expression
from probe.records import DIED, UNREACHABLE, Json

FAR_TAIL = 990
"""Percentiles from p99 on say nothing without as many independent values, however far the limit is; below,
an interval that lies within half the limit may do with fewer."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`value` is in the expression's unit, possibly infinite; None without data. `found` is its interval."""

    value: float | None
    n: int
    verdict: str
    reason: Json
    found: Estimate | None = None


def decide(expression: Expression, sessions: Sequence[Examined], evidence: Evidence) -> Decision:
    """Judge the pooled value of sessions none of which is objected to."""
    values = pool(sessions, expression.metric)
    value = None if values is None else values.value(expression.aggregate)
    if values is None or value is None:
        reason = why_nothing(expression.metric, sessions)
        verdict = NOT_MEASURED if reason["code"] in (UNREACHABLE, DIED) else INCONCLUSIVE
        return Decision(None, 0 if values is None else values.n, verdict, reason)
    units = units_of(sessions, expression.metric)
    assert units is not None
    found = estimate(expression, values, units, evidence.confidence)
    decision = Decision(value, values.n, INCONCLUSIVE, {}, found)
    too_little = insufficient(expression, values, sessions, evidence)
    if too_little is None and found is None:
        needed = 2 - len(units.parts)
        too_little = {"code": "one_block", "more": blocks_more(needed, evidence)}
    if too_little is not None or found is None:
        return replace(decision, reason=too_little or {})
    verdict, reason = _against_limit(expression, value, values, found, sessions, evidence)
    return replace(decision, verdict=verdict, reason=reason)


def _against_limit(
    expression: Expression,
    value: float,
    values: Any,
    found: Estimate,
    sessions: Sequence[Examined],
    evidence: Evidence,
) -> tuple[str, Json]:
    """The whole interval has to lie on one side of the limit."""
    best, worst = (found.low, found.high) if expression.op[0] == "<" else (found.high, found.low)
    if found.certain:
        best = worst = value
    if worst is not None and expression.holds(worst):
        return _enough_to_pass(expression, values, found, sessions, evidence)
    if best is not None and not expression.holds(best):
        return FAIL, _why_it_fails(expression, value, values, sessions)
    return INCONCLUSIVE, {"code": "straddles_limit", "more": to_decide(found, sessions)}


def _why_it_fails(expression: Expression, value: float, values: Any, sessions: Sequence[Examined]) -> Json:
    if expression.metric == "reachable":
        return _not_reachable(sessions)
    if isinstance(values, Population) and math.isinf(value):
        return {"code": "infinite", "lost": values.infinite, "n": values.n}
    return {"code": "beyond_limit"}


def _enough_to_pass(
    expression: Expression, values: Any, found: Estimate, sessions: Sequence[Examined], evidence: Evidence
) -> tuple[str, Json]:
    """No upper bound without so many independent values, and none of a window longer than the session."""
    if isinstance(values, Worst) and not values.whole:
        return INCONCLUSIVE, {"code": "shorter_than_window", "metric": expression.metric}
    level = PER_MILLE.get(str(expression.aggregate))
    if isinstance(values, Population) and level is not None and not METRICS[expression.metric].per_session:
        needed = least_n(level / 1000, evidence.confidence, two_sided=False)
        if found.n_eff < needed and not (level < FAR_TAIL and _far_within(expression, found)):
            more = as_much(needed / max(found.n_eff, 1.0), found, sessions)
            n_eff = math.floor(found.n_eff)
            facts = {"aggregate": expression.aggregate, "n_eff": n_eff, "min_n": needed}
            return INCONCLUSIVE, {"code": "too_few_independent", **facts, "more": more}
    return PASS, {"code": "within_limit"}


def _far_within(expression: Expression, found: Estimate) -> bool:
    """Whether even twice the upper end of the interval is within the limit."""
    return expression.op[0] == "<" and found.high is not None and expression.holds(2 * found.high)


def insufficient(
    expression: Expression, values: Poolable, sessions: Sequence[Examined], evidence: Evidence
) -> Json | None:
    """Why the packets behind a value are too few for any verdict on it; None when they suffice."""
    metric = METRICS[expression.metric]
    if not metric.per_session:
        n = packets(sessions, metric.name)
        if n < evidence.min_packets:
            more = as_much(evidence.min_packets / n, None, sessions) if n else None
            return {"code": "too_few_packets", "n": n, "min_packets": evidence.min_packets, "more": more}
    if isinstance(values, Worst) and values.coarse and not expression.holds(values.value() or 0.0):
        return {"code": "coarse_window", "metric": metric.name}
    return unresolved(values, metric.name, expression.aggregate, evidence.confidence)


def _not_reachable(sessions: Sequence[Examined]) -> Json:
    outcomes = [session.record.outcome for session in sessions]
    return {
        "code": "not_reachable",
        "sessions": len(outcomes),
        "unreachable": outcomes.count(UNREACHABLE),
        "died": outcomes.count(DIED),
    }


def decide_peak(expression: Expression, found: Comparison) -> Decision:
    """Judge `peak_ratio` or `peak_shift` by the interval over days. A ratio to zero is no measure of a change."""
    by_ratio = expression.function == "peak_ratio"
    value = found.ratio if by_ratio else found.shift
    n = min(found.n_peak, found.n_offpeak)
    low, high = (found.ratio_low, found.ratio_high) if by_ratio else (found.low, found.high)
    made = Estimate(low, high, found.days, "day", found.days)
    undecided = Decision(value, n, INCONCLUSIVE, {}, made)
    if found.objection is not None:
        return replace(undecided, reason=found.objection)
    if by_ratio and found.offpeak == 0:
        return replace(undecided, reason={"code": "offpeak_zero"})
    if value is None or low is None or high is None:
        return replace(undecided, reason={"code": "both_infinite"})
    best, worst = (low, high) if expression.op[0] == "<" else (high, low)
    if expression.holds(worst):
        return replace(undecided, verdict=PASS, reason={"code": "within_limit"})
    if not expression.holds(best):
        return replace(undecided, verdict=FAIL, reason={"code": "beyond_limit"})
    more = found.more_days(expression.limit, by_ratio=by_ratio)
    return replace(undecided, reason={"code": "straddles_limit", "more": more})
