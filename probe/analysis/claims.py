"""Claims such as "resists 70 % loss": at which loss the criterion breaks, from the sessions of a sweep.

A step holds or breaks where the whole interval of its value (overdispersed over seconds, `clustered`) lies on
one side of the criterion. The breaking point is then known to lie between the largest step up to which all
hold and the smallest that breaks: between two steps nothing was measured, and nothing is pretended. The point
shown is where the steps' values, made monotone (pool adjacent violators), cross the criterion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from probe.analysis.admission import Examined
from probe.analysis.claim_result import BREAKS, HOLDS, UNDECIDED, ClaimResult, ClaimStep
from probe.analysis.clustered import shares_of
from probe.analysis.delay import Floats
from probe.analysis.population import Share
from probe.analysis.results import FAIL, INCONCLUSIVE, NOT_MEASURED, PASS, Judgement, SessionSummary
from probe.objectives import Claim, Expression
from probe.records import NOT_CONNECTED, Json

LEAST_SECONDS = 5
WHO = ("vendor", "node")


def judge_claims(
    claims: Iterable[Claim], sessions: Sequence[Examined], confidence: float
) -> list[ClaimResult]:
    """Each claim on each node that was put to it, a result a direction."""
    found = []
    for claim in claims:
        mine = [session for session in sessions if session.record.claim == claim.name]
        nodes = dict.fromkeys(tuple(getattr(session.record, key) for key in WHO) for session in mine)
        for node in nodes:
            of_node = [one for one in mine if tuple(getattr(one.record, key) for key in WHO) == node]
            scope = dict(zip(WHO, node, strict=True))
            scope |= {key: getattr(of_node[0].record, key) for key in ("scenario", "window", "transport")}
            found += [_result(claim, scope, way, of_node, confidence) for way in claim.ways]
    return found


def judgement_of(result: ClaimResult) -> Judgement:
    """As one of the run's checks; the value is the loss at which it breaks."""
    claim = result.claim

    def per_cent(ratio: float | None) -> float | None:
        return None if ratio is None else 100 * ratio

    return Judgement(
        expr=f"claim {claim.name}: {result.way} {claim.criterion} up to {100 * claim.resists:.10g}% loss",
        scope=result.scope,
        value=per_cent(result.breaks_at),
        unit="%",
        n=sum(step.n for step in result.steps),
        verdict=result.verdict,
        severity=claim.severity,
        reason=result.reason,
        low=per_cent(result.low),
        high=per_cent(result.high),
        file=claim.file,
        line=claim.line,
    )


def _result(
    claim: Claim, scope: Mapping[str, Any], way: str, sessions: Sequence[Examined], confidence: float
) -> ClaimResult:
    expression = claim.expression(way)
    steps = tuple(
        _step(
            claim, expression, way, ratio, [s for s in sessions if s.record.claim_loss == ratio], confidence
        )
        for ratio in claim.steps
    )
    low, high = bracket(steps)
    verdict, reason = _verdict(claim, steps, low, high, sessions)
    at = crossing(steps, expression)
    if at is not None and not (low or 0.0) <= at <= (1.0 if high is None else high):
        at = None  # it breaks for another reason than the values
    return ClaimResult(claim, scope, way, steps, at, low, high, verdict, reason)


def _step(
    claim: Claim,
    expression: Expression,
    way: str,
    ratio: float,
    sessions: Sequence[Examined],
    confidence: float,
) -> ClaimStep:
    heard = [session.summary for session in sessions if session.objection is None]
    metric = expression.metric.removeprefix(f"{way}.")
    parts = [summary.blocks.get(f"claim.{way}.{metric}", ()) for summary in heard]
    lost = Share.pooled(
        _shares(part for summary in heard for part in summary.blocks.get(f"claim.{way}.loss", ()))
    )
    value, low, high, n, seconds = _estimate(parts, (1 - confidence) / 2)
    overhead = max((c for s in heard if (c := _overhead(s, way)) is not None), default=None)
    verdict, code = UNDECIDED, None
    if value is None and any(summary.record.outcome == NOT_CONNECTED for summary in heard):
        verdict, code = BREAKS, "not_connected"
    elif value is None:
        code = "nothing_measured"
    elif low is None or high is None:
        code = "too_short"
    else:
        best, worst = (low, high) if expression.op[0] == "<" else (high, low)
        verdict = HOLDS if expression.holds(worst) else BREAKS if not expression.holds(best) else UNDECIDED
    if verdict == HOLDS and claim.overhead is not None and (overhead or 0.0) > claim.overhead:
        verdict, code = BREAKS, "over_budget"
    return ClaimStep(ratio, lost.ratio, n, seconds, value, low, high, overhead, verdict, code)


def _shares(parts: Iterable[Any]) -> list[Share]:
    return [part for part in parts if isinstance(part, Share)]


def _overhead(summary: SessionSummary, way: str) -> float | None:
    """Bytes sent by bytes of media, of the whole session."""
    direction = summary.up if way == "up" else summary.down
    return None if direction is None or direction.repairs is None else direction.repairs.overhead_ratio


def _estimate(
    parts: Sequence[Sequence[Any]], tail: float
) -> tuple[float | None, float | None, float | None, int, int]:
    """Value and interval in per cent, packets and seconds, of the seconds of each session."""
    seconds = [[part for part in _shares(one) if part.n] for one in parts]
    flat = [part for one in seconds for part in one]
    n = np.array([part.n for part in flat], np.float64)
    if not flat:
        return None, None, None, 0, 0
    hits = np.array([[part.hits] for part in flat], np.float64)
    value = 100 * float(hits.sum() / n.sum())
    if len(flat) < LEAST_SECONDS:
        return value, None, None, int(n.sum()), len(flat)
    starts = np.cumsum([0, *(len(one) for one in seconds)])
    neighbours = np.concatenate([np.arange(a, b - 1) for a, b in pairwise(starts)])
    low, high = shares_of(hits, n, neighbours.astype(np.int64)).interval(tail)
    return value, 100 * float(low[0]), 100 * float(high[0]), int(n.sum()), len(flat)


def bracket(steps: Sequence[ClaimStep]) -> tuple[float | None, float | None]:
    """The largest loss up to which every step holds, and the smallest that breaks; either may be None."""
    low = None
    for step in steps:
        if step.verdict != HOLDS:
            break
        low = step.loss_ratio
    high = next((step.loss_ratio for step in steps if step.verdict == BREAKS), None)
    return low, high


def crossing(steps: Sequence[ClaimStep], expression: Expression) -> float | None:
    """The loss at which the monotone values reach the criterion's limit, by straight lines between steps."""
    known = [step for step in steps if step.value is not None and step.n]
    if len(known) < 2:
        return None
    loss = np.array([step.loss_ratio for step in known])
    sign = 1.0 if expression.op[0] == "<" else -1.0
    values = sign * monotone(
        sign * np.array([step.value for step in known], np.float64),
        np.array([step.n for step in known], np.float64),
    )
    beyond = sign * (values - expression.limit)
    above = np.flatnonzero(beyond >= 0)
    if not len(above):
        return None
    at = int(above[0])
    if at == 0:
        return float(loss[0])
    share = -beyond[at - 1] / (beyond[at] - beyond[at - 1])
    return float(loss[at - 1] + share * (loss[at] - loss[at - 1]))


def monotone(values: Floats, weights: Floats) -> Floats:
    """The non-decreasing values nearest by weighted squares (pool adjacent violators, Barlow et al. 1972)."""
    pools: list[list[float]] = []  # mean, weight, count
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pools.append([value, weight, 1])
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            mean, heavy, count = pools.pop()
            before = pools[-1]
            total = before[1] + heavy
            before[0] = (before[0] * before[1] + mean * heavy) / total
            before[1], before[2] = total, before[2] + count
    return np.repeat([pool[0] for pool in pools], [int(pool[2]) for pool in pools])


def _verdict(
    claim: Claim,
    steps: Sequence[ClaimStep],
    low: float | None,
    high: float | None,
    sessions: Sequence[Examined],
) -> tuple[str, Json]:
    facts = {"resists": 100 * claim.resists, "criterion": claim.criterion}
    facts |= {"low": None if low is None else 100 * low, "high": None if high is None else 100 * high}
    facts |= {"last": 100 * steps[-1].loss_ratio}
    if not any(step.n for step in steps) and high is None:
        objection = next((session.objection for session in sessions if session.objection is not None), None)
        return NOT_MEASURED, objection or {"code": "claim_not_measured"}
    if low is not None and low >= claim.resists:
        return PASS, {"code": "claim_holds", **facts}
    if high is not None and high <= claim.resists:
        broken = next(step for step in steps if step.verdict == BREAKS)
        return FAIL, {"code": f"claim_{broken.code or 'breaks'}", **facts}
    return INCONCLUSIVE, {"code": "claim_undecided", **facts}
