"""The verdict block: every threshold on every cell, measured value beside limit, and the last word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from probe.analysis.results import (
    FAIL,
    INCONCLUSIVE,
    NOT_MEASURED,
    PASS,
    RUN_INTERRUPTED,
    Assessment,
    Judgement,
)
from probe.report import labels
from probe.report.facts import expression_of, judgement_facts
from probe.report.grid import Column, Grid
from probe.report.numbers import NO_DATA, beside, limit, plural, quantity
from probe.report.sentences import sentence
from probe.report.words import threshold_word, verdict_word

TITLE = "Verdict"
_HEADING = Column("threshold", left=True, label=1)


def verdict(judgements: Sequence[Judgement]) -> Grid:
    """The thresholds in the order of the plan, each with its cells."""
    intervals = any(judgement.low is not None or judgement.high is not None for judgement in judgements)
    columns = [
        _HEADING,
        Column("verdict", left=True),
        Column("where", left=True),
        Column("value"),
        *([Column("interval")] if intervals else []),
        Column("limit"),
        Column("n (worth)" if any(map(_bunched, judgements)) else "n"),
        Column("why", left=True, flex=True),
    ]
    grid = Grid(columns, headed=True)
    for judgement in _by_threshold(judgements):
        value, against = value_and_limit(judgement)
        grid.add(
            heading(judgement),
            threshold_word(judgement.verdict, judgement.severity).text(),
            labels.of_scope(judgement.scope),
            value,
            *([_interval(judgement)] if intervals else []),
            against,
            _number(judgement),
            Text(sentence(judgement_facts(judgement))),
        )
    return grid


def _bunched(judgement: Judgement) -> bool:
    return judgement.n_eff is not None and round(judgement.n_eff) < judgement.n


def heading(judgement: Judgement) -> Text:
    """`rtt.p95 < 200ms (warn)  indonesia.yaml:41`."""
    text = Text(
        judgement.expr if judgement.severity == "gate" else f"{judgement.expr} ({judgement.severity})"
    )
    if judgement.file is not None:
        text.append(f"  {judgement.file}:{judgement.line or 1}", style="not bold dim")
    return text


def value_and_limit(judgement: Judgement) -> tuple[str, str]:
    """`312.4 ms` and `< 200 ms`."""
    expression = expression_of(judgement)
    infinite = "value" in judgement.infinite
    if expression is None:
        return quantity(judgement.value, judgement.unit, infinite=infinite), NO_DATA
    value = beside(judgement.value, expression.unit, expression.limit, infinite=infinite)
    return value, f"{expression.op} {limit(expression.limit, expression.unit)}"


def overall(assessment: Assessment) -> Text:
    """The last line: the verdict of the run and its exit code, in words."""
    word = verdict_word(assessment.verdict)
    text = Text(f"{word.mark} {word.word.upper()}: ", style=word.style)
    text.append(f"{_because(assessment)} (exit code {assessment.exit_code}).", style="default not bold")
    return text


def _because(assessment: Assessment) -> str:
    gates = [judgement for judgement in assessment.thresholds if judgement.severity == "gate"]
    number = Counter(judgement.verdict for judgement in gates)
    warnings = sum(j.severity != "gate" and j.verdict == FAIL for j in assessment.thresholds)
    beside_it = f", with {plural(warnings, 'warning')}" if warnings else ""
    of = f"of {len(gates)} gating checks"
    match assessment.verdict:
        case "pass" if number[PASS] == len(gates):
            one = "the gating check holds" if len(gates) == 1 else f"all {len(gates)} gating checks hold"
            return (one if gates else "nothing was to be checked") + beside_it
        case "pass":
            return f"{number[PASS]} {of} hold, none failed{beside_it}"
        case "fail":
            return f"{number[FAIL]} {of} failed{beside_it}"
        case "inconclusive" if not number[INCONCLUSIVE]:
            return f"the run's own thresholds are lost; {number[PASS]} {of} hold"
        case "inconclusive":
            return f"{number[INCONCLUSIVE]} {of} cannot be decided, none failed{beside_it}"
        case "not_measured":
            return (
                f"our side could not measure {number[NOT_MEASURED]} {of}, which says nothing about a vendor"
            )
        case verdict if verdict == RUN_INTERRUPTED:
            return "the run was stopped before its end; what was measured is kept"
        case _:
            return f"{number[PASS]} {of} hold"


def _interval(judgement: Judgement) -> str:
    low, high = (
        quantity(getattr(judgement, name), judgement.unit, infinite=name in judgement.infinite)
        for name in ("low", "high")
    )
    return NO_DATA if low == high == NO_DATA else f"{low} to {high}"


def _number(judgement: Judgement) -> str:
    """How many values, and in brackets how many independent ones they are worth."""
    return f"{judgement.n} ({round(judgement.n_eff or 0)})" if _bunched(judgement) else str(judgement.n)


def _by_threshold(judgements: Sequence[Judgement]) -> list[Judgement]:
    """Thresholds in the order of the plan, each by node and cell."""
    order: dict[str, int] = {}
    for judgement in judgements:
        order.setdefault(heading(judgement).plain, len(order))
    placed = labels.ordered(judgements, lambda judgement: judgement.scope)
    return sorted(placed, key=lambda judgement: order[heading(judgement).plain])
