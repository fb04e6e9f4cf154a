"""A reason together with the numbers of what it is about, as the sentences need them."""

from __future__ import annotations

from typing import Any

from probe.analysis.results import Judgement, PeakRow
from probe.objectives import Expression, parse_expression
from probe.records import Json


def judgement_facts(judgement: Judgement) -> Json:
    """The reason's own parameters win over those of the threshold."""
    facts: Json = {
        "expr": judgement.expr,
        "value": judgement.value,
        "unit": judgement.unit,
        "n": judgement.n,
        "infinite": "value" in judgement.infinite,
    }
    expression = expression_of(judgement)
    if expression is not None:
        facts |= {"subject": subject_of(expression), "limit": expression.limit, "op": expression.op}
        facts |= {"metric": expression.metric, "aggregate": expression.aggregate}
    return facts | judgement.reason


def peak_facts(row: PeakRow) -> Json:
    """As for thresholds."""
    names = ("metric", "unit", "peak", "offpeak", "shift", "ratio", "days", "n_peak", "n_offpeak")
    facts: dict[str, Any] = {name: getattr(row, name) for name in names}
    return facts | {"subject": row.metric, "infinite_names": list(row.infinite)} | row.reason


def expression_of(judgement: Judgement) -> Expression | None:
    """The threshold, parsed; None for one that only a newer version understands."""
    try:
        return parse_expression(judgement.expr)
    except ValueError:
        return None


def subject_of(expression: Expression) -> str:
    """`rtt.p95`, `peak_ratio(rtt.p95)`."""
    return f"{expression.function}({expression.subject})" if expression.function else expression.subject
