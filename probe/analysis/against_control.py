"""A vendor's value less the control's of the same minutes, with the interval of the difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from probe.analysis.admission import Examined
from probe.analysis.cells import pool
from probe.analysis.delay import median
from probe.analysis.estimate import Estimate, estimate
from probe.analysis.more import as_much
from probe.analysis.results import FAIL, INCONCLUSIVE, NOT_MEASURED, PASS
from probe.analysis.units import units_of
from probe.analysis.verdict import Decision, decide, insufficient
from probe.objectives import Evidence, Expression


def decide_against_control(
    expression: Expression,
    sessions: Sequence[Examined],
    controls: Sequence[Sequence[Examined]],
    evidence: Evidence,
) -> Decision:
    """Judge the value less the control's: the median of the control nodes, one entry each."""
    ours = decide(expression, sessions, evidence)
    enough = ours.verdict != NOT_MEASURED and ours.reason.get("code") in _DECIDED
    if ours.value is None or not enough:
        return replace(ours, value=None, found=None)
    levels, n = [], ours.n
    for control in controls:
        found = _level(expression, control, evidence)
        if found is not None:
            levels.append(found[:2])
            n = min(n, found[2])
    if not levels:
        code = "control_missing" if not controls else "control_without_data"
        return Decision(None, ours.n, INCONCLUSIVE, {"code": code})
    level = median(np.array([value for value, _ in levels]))
    if math.isinf(level):
        return Decision(None, n, INCONCLUSIVE, {"code": "control_infinite"})
    nearest = min(levels, key=lambda one: abs(one[0] - level))
    return _judged(expression, ours, level, nearest[1], n, sessions)


_DECIDED = ("within_limit", "beyond_limit", "infinite", "straddles_limit", "too_few_independent", "one_block")


def _level(
    expression: Expression, control: Sequence[Examined], evidence: Evidence
) -> tuple[float, Estimate | None, int] | None:
    values, units = pool(control, expression.metric), units_of(control, expression.metric)
    level = None if values is None else values.value(expression.aggregate)
    if values is None or units is None or level is None:
        return None
    if insufficient(expression, values, control, evidence):
        return None
    return level, estimate(expression, values, units, evidence.confidence), values.n


def difference(ours: float, found: Estimate, theirs: float, beside: Estimate) -> tuple[float, float]:
    """Of two values with intervals of their own (Zou and Donner 2008, MOVER); wider than the truth when both
    rise and fall together, as at the same minutes they do."""
    value = ours - theirs
    low = value - math.hypot(ours - _or(found.low, ours), _or(beside.high, theirs) - theirs)
    high = value + math.hypot(_or(found.high, ours) - ours, theirs - _or(beside.low, theirs))
    return low, high


def _or(bound: float | None, value: float) -> float:
    return value if bound is None else bound


def _judged(
    expression: Expression,
    ours: Decision,
    level: float,
    beside: Estimate | None,
    n: int,
    sessions: Sequence[Examined],
) -> Decision:
    assert ours.value is not None
    value = ours.value - level
    facts = {"control": level}
    if ours.found is None or beside is None:
        return Decision(value, n, INCONCLUSIVE, {"code": "one_block", **facts})
    if math.isinf(value):
        low, high = (_or(ours.found.low, value) - level, math.inf)
    else:
        low, high = difference(ours.value, ours.found, level, beside)
    found = replace(ours.found, low=low, high=high, chance=None)
    best, worst = (low, high) if expression.op[0] == "<" else (high, low)
    if expression.holds(worst):
        return Decision(value, n, PASS, {"code": "within_limit", **facts}, found)
    if not expression.holds(best):
        return Decision(value, n, FAIL, {"code": "beyond_limit", **facts}, found)
    half = high - value if value < expression.limit else value - low
    off = abs(value - expression.limit)
    times = (half / off) ** 2 if off else math.inf
    more = as_much(max(times, 1.0), found, sessions)
    return Decision(value, n, INCONCLUSIVE, {"code": "straddles_limit", "more": more, **facts}, found)
