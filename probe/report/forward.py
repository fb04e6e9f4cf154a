"""One plain sentence a verdict, with its numbers, that can be forwarded as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probe.analysis.results import Assessment, Judgement, PeakRow
from probe.objectives import Expression
from probe.report.facts import expression_of, judgement_facts, peak_facts
from probe.report.more import what_decides
from probe.report.numbers import difference, limit, plural, quantity
from probe.report.sentences import sentence

NAMES = {
    "rtt": "round trip",
    "loss": "packet loss",
    "residual": "loss after repair",
    "recovered": "share of losses repaired in time",
    "recovery": "repair time",
    "pdv": "delay variation",
    "ipdv": "delay variation from packet to packet",
    "jitter": "jitter",
    "reordered": "reordering",
    "connect": "time to connect",
    "handshake": "QUIC handshake",
    "reachable": "reachability",
    "worst_loss_15s": "loss in the worst 15 s",
    "worst_loss_200ms": "loss in the worst 200 ms",
    "worst_jitter_15s": "jitter in the worst 15 s",
}
WAYS = {"up": "upward", "down": "downward"}
WINDOWS = {"peak": "the evening", "offpeak": "off-peak", "other": "other hours"}
VERBS = {
    "pass": "holds",
    "fail": "fails",
    "inconclusive": "is undecided in",
    "not_measured": "could not be measured in",
}
FUNCTIONS = {
    "peak_ratio": "evening to off-peak ratio of the {}",
    "peak_shift": "evening change of the {}",
    "vs_control": "distance to the control node of the {}",
}
BLAME = {
    "own_side": "the control node was bad at the same minutes too, so it is our own uplink or ISP",
    "vendor_evening": "off-peak it holds, so it is the evening that is full",
}


def judgement_sentence(judgement: Judgement) -> str:
    """Who, what verdict, which value with its interval, when, against what, on how much, and beside which control."""
    expression = expression_of(judgement)
    if expression is None:
        return sentence(judgement_facts(judgement))
    who = _who(judgement.scope)
    verb = _verb(judgement)
    head = f"{who} {verb}{_cell(judgement.scope)}"
    value = _value(judgement, expression)
    if value is None:
        return f"{head}: {_lower(sentence(judgement_facts(judgement)))}"
    subject = _subject(expression)
    when = f" in {judgement.hours}" if judgement.hours else ""
    allowed = f" against {_allowed(expression)}"
    text = f"{head}: {subject} {value}{when}{allowed}{_on(judgement)}"
    return f"{text}{_beside(judgement)}{_open_end(judgement)}."


def peak_sentence(row: PeakRow) -> str:
    """The evening against the rest of the day."""
    subject = _metric(*_split(row.metric))
    who = f"{row.vendor}/{row.node} ({row.scenario}, {row.network}, {row.transport})"
    words = {"degraded": "is worse in the evening", "not_degraded": "is not worse in the evening"}
    verb = words.get(row.verdict, "in the evening")
    peak, offpeak = (
        quantity(getattr(row, name), row.unit, infinite=name in row.infinite) for name in ("peak", "offpeak")
    )
    numbers = [f"{subject} {peak} against {offpeak} off-peak"]
    if row.low is not None and row.high is not None:
        numbers.append(
            f"a change of {difference(row.shift, row.unit, signed=True)}"
            f" [{_bare(row.low, row.unit)}, {_bare(row.high, row.unit)}]"
        )
    numbers.append(
        plural(row.days, "day") + ("" if row.paired else ", unpaired: the windows are of other days")
    )
    text = f"{who} {verb}: {', '.join(numbers)}"
    return f"{text}." if row.verdict == "degraded" else f"{text}. {sentence(peak_facts(row))}"


def to_forward(assessment: Assessment) -> list[str]:
    """What a reader has to know: failures, warnings, our own faults, and evenings that are worse."""
    blamed = [
        judgement
        for judgement in assessment.thresholds
        if judgement.verdict == "fail" or (judgement.attribution or {}).get("whose") == "own_side"
    ]
    worse = [row for row in assessment.peak if row.verdict == "degraded"]
    return [*map(judgement_sentence, blamed), *map(peak_sentence, worse)]


def _who(scope: Mapping[str, Any]) -> str:
    names = [str(scope[key]) for key in ("vendor", "node") if scope.get(key)]
    return "/".join(names) or "The run"


def _verb(judgement: Judgement) -> str:
    window = judgement.scope.get("window")
    verb = VERBS.get(judgement.verdict, judgement.verdict)
    if window is None:
        return verb.removesuffix(" in")
    name = WINDOWS.get(str(window), f"window {window}")
    return f"{verb} in {name}" if verb == "holds" else f"{verb} {name}"


def _cell(scope: Mapping[str, Any]) -> str:
    parts = [str(scope[key]) for key in ("scenario", "network", "transport") if scope.get(key)]
    return f" ({', '.join(parts)})" if parts else ""


def _split(name: str) -> tuple[str, str | None]:
    head, _, tail = name.rpartition(".")
    return (head, tail) if head and tail not in NAMES else (name, None)


def _metric(metric: str, aggregate: str | None) -> str:
    way, _, name = metric.rpartition(".")
    words = NAMES.get(name, name)
    words = f"{words} {WAYS[way]}" if way in WAYS else words
    return f"{aggregate} {words}" if aggregate else words


def _subject(expression: Expression) -> str:
    words = _metric(expression.metric, expression.aggregate)
    return FUNCTIONS[expression.function].format(words) if expression.function else words


def _value(judgement: Judgement, expression: Expression) -> str | None:
    infinite = "value" in judgement.infinite
    if judgement.value is None and not infinite:
        return None
    text = quantity(judgement.value, expression.unit, infinite=infinite)
    bounds = [
        "∞" if name in judgement.infinite else _bare(bound, expression.unit)
        for name, bound in (("low", judgement.low), ("high", judgement.high))
    ]
    return text if bounds == ["–", "–"] else f"{text} [{', '.join(bounds)}]"


def _bare(value: float | None, unit: str) -> str:
    """Without the unit, which stands once, before the interval."""
    return quantity(value, unit).removesuffix(f" {unit}").removesuffix("x")


def _allowed(expression: Expression) -> str:
    written = limit(expression.limit, expression.unit)
    return f"{written} {'allowed' if expression.op[0] == '<' else 'required'}"


def _on(judgement: Judgement) -> str:
    if not judgement.sessions:
        return ""
    return f", {plural(judgement.sessions, 'session')} on {plural(judgement.days, 'day')}"


def _beside(judgement: Judgement) -> str:
    facts = judgement.attribution or {}
    level = facts.get("control")
    parts = []
    if level is not None:
        number = len(facts.get("controls", ())) or 1
        whose = "the control node" if number == 1 else f"the {number} control nodes"
        parts.append(f"{whose} had {quantity(level, judgement.unit)} at the same minutes")
    if facts.get("whose") in BLAME:
        parts.append(BLAME[facts["whose"]])
    elif facts.get("whose") == "unknown" and level is None:
        parts.append("no control node was measured at the same minutes")
    return "".join(f"; {part}" for part in parts)


def _open_end(judgement: Judgement) -> str:
    if judgement.verdict == "not_measured" and judgement.attribution is None:
        return f"; {_lower(sentence(judgement_facts(judgement))).rstrip('.')}"
    if judgement.verdict != "inconclusive":
        return ""
    told = what_decides(judgement.reason.get("more"))
    return f"; {told}" if told else f"; {_lower(sentence(judgement_facts(judgement))).rstrip('.')}"


def _lower(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}"
