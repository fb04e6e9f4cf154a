"""Every judged threshold as other programs want it: with a name of its own and one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

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
from probe.report.facts import judgement_facts
from probe.report.numbers import INFINITE, NO_DATA
from probe.report.printable import printable
from probe.report.sentences import sentence
from probe.report.verdict import overall, value_and_limit
from probe.report.words import threshold_word


@dataclass(frozen=True, slots=True)
class Check:
    """`node` is `alpha/jkt-1`, `name` is unique among the checks of the node."""

    node: str
    name: str
    told: str
    judgement: Judgement

    @property
    def outcome(self) -> str:
        """The verdict; what fails without being a gate is `warn`."""
        verdict = self.judgement.verdict
        if verdict != PASS and self.judgement.severity != "gate":
            return "warn" if verdict == FAIL else f"{verdict} ({self.judgement.severity})"
        return verdict


def checks(judgements: Sequence[Judgement]) -> list[Check]:
    """In the order given. The name repeats the cell; where that is not enough, the threshold's line, then a number."""
    plain = [(_node(item), _name(item)) for item in judgements]
    again = Counter(plain)
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for item, (node, name) in zip(judgements, plain, strict=True):
        full = f"{name} (line {item.line})" if again[node, name] > 1 and item.line else name
        seen[node, full] += 1
        if seen[node, full] > 1:
            full = f"{full} #{seen[node, full]}"
        found.append(Check(node, full, told(item), item))
    return found


def told(judgement: Judgement) -> str:
    """`fail: 312.4 ms against < 200 ms, n 1500. 112.4 ms above the limit.`"""
    value, against = value_and_limit(judgement)
    between = f" {interval(judgement)}" if interval(judgement) else ""
    word = threshold_word(judgement.verdict, judgement.severity).word
    return printable(
        f"{word}: {value}{between} against {against}, n {judgement.n}. {sentence(judgement_facts(judgement))}"
    )


def without_checks(assessment: Assessment) -> str | None:
    """What decides a run that its checks do not: it was stopped, or nothing was judged."""
    if assessment.verdict == RUN_INTERRUPTED or not assessment.thresholds:
        return overall(assessment).plain
    return None


def interval(judgement: Judgement) -> str:
    """`[231, 260]` in the unit of the value; empty without one. An end that is not known is `–`."""
    ends = [_end(judgement, name) for name in ("low", "high")]
    return "" if ends == [NO_DATA, NO_DATA] else f"[{', '.join(ends)}]"


def _end(judgement: Judgement, name: str) -> str:
    value: float | None = getattr(judgement, name)
    if name in judgement.infinite:
        return INFINITE
    return NO_DATA if value is None else f"{value:.4g}"


def weightiest_first(judgements: Sequence[Judgement]) -> list[Judgement]:
    """What failed, then what was not measured, what is undecided, and what holds; gates before warnings."""
    placed = labels.ordered(judgements, lambda judgement: judgement.scope)
    weight = {FAIL: 0, NOT_MEASURED: 1, INCONCLUSIVE: 2}
    return sorted(placed, key=lambda item: (weight.get(item.verdict, 3), item.severity != "gate"))


def _node(judgement: Judgement) -> str:
    scope = judgement.scope
    who = [labels.of_scope({name: scope[name]}) for name in ("vendor", "node") if scope.get(name)]
    return printable("/".join(who)) or "all nodes"


def _name(judgement: Judgement) -> str:
    place = {name: value for name, value in judgement.scope.items() if name not in ("vendor", "node")}
    where = labels.of_scope(place) if place else ""
    severity = "" if judgement.severity == "gate" else f" ({judgement.severity})"
    return printable(f"{judgement.expr}{severity}{' · ' + where if where else ''}")
