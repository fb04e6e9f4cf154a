"""Outcomes for people, and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from bench.comparison import Figure, Goal, Outcome, Sample
from bench.rounds import LOAD_METRIC

Json = dict[str, Any]
HEAD = ("what", "figure", "probe", "against", "peer", "ratio (spread)", "goal", "verdict", "limit")


def table(outcomes: Iterable[Outcome]) -> str:
    """A line a goal: medians of both sides, median and spread of the ratio, the goal, and the verdict."""
    lines: list[tuple[str, ...]] = [HEAD]
    for outcome in outcomes:
        lines += [_line(outcome, figure) for figure in _figures(outcome)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEAD))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(
        line.rstrip() for line in [shown[0], "  ".join("-" * width for width in widths), *shown[1:]]
    )


def remarks(outcomes: Iterable[Outcome]) -> list[str]:
    """What could not be measured, what went wrong, and how loud the machine was."""
    said = []
    for outcome in outcomes:
        name = outcome.comparison.name
        said += [f"{name}: {subject} is left out: {why}" for subject, why in outcome.skipped.items()]
        said += [f"{name}: {what}" for what in outcome.failed]
        if loud := [load for load in _loads(outcome) if load > 0.2]:
            said.append(
                f"{name}: during {len(loud)} of {len(_loads(outcome))} measurements others used "
                f"up to {max(loud):.1f} CPUs"
            )
    return said


def to_json(outcomes: Iterable[Outcome]) -> list[Json]:
    return [
        {
            "name": outcome.comparison.name,
            "title": outcome.comparison.title,
            "figures": [_figure_to_json(figure) for figure in _figures(outcome)],
            "rounds": outcome.rounds,
            "skipped": outcome.skipped,
            "failed": outcome.failed,
        }
        for outcome in outcomes
    ]


def number(value: float) -> str:
    """Three or four digits, as people read them."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def ratio(value: float, goal: Goal) -> str:
    """A ratio in the way its goal is written: 0.95x, or 1/42."""
    if goal.against is None:
        return number(value)
    if goal.limit < 1 and not goal.least:
        return f"1/{number(1 / value)}" if value else "0"
    return f"{number(value)}x"


def _line(outcome: Outcome, figure: Figure) -> tuple[str, ...]:
    goal, values = figure.goal, figure.values
    measured = ""
    if values:
        spread = f"{ratio(min(values), goal)} .. {ratio(max(values), goal)}"
        measured = f"{ratio(statistics.median(values), goal)} ({spread})"
    bound = f"{'>=' if goal.least else '<='} {ratio(goal.limit, goal)}"
    peer = _median(outcome.rounds, goal.against, goal) if goal.against else ""
    return (
        outcome.comparison.title,
        goal.what,
        _median(outcome.rounds, goal.subject, goal),
        goal.against or "",
        peer,
        measured,
        bound,
        figure.verdict,
        f"{goal.limit_by}: {ratio(figure.limit, goal)}" if figure.limit is not None else "",
    )


def _median(rounds: list[dict[str, Sample]], subject: str, goal: Goal) -> str:
    values = [samples[subject][goal.metric] for samples in rounds if goal.metric in samples.get(subject, {})]
    return f"{number(statistics.median(values))} {goal.unit}".strip() if values else "-"


def _figures(outcome: Outcome) -> list[Figure]:
    return [outcome.figure(goal) for goal in outcome.comparison.goals]


def _loads(outcome: Outcome) -> list[float]:
    return [sample[LOAD_METRIC] for samples in outcome.rounds for sample in samples.values()]


def _figure_to_json(figure: Figure) -> Json:
    goal = figure.goal
    return {
        "what": goal.what,
        "metric": goal.metric,
        "subject": goal.subject,
        "against": goal.against,
        "limit": goal.limit,
        "at_least": goal.least,
        "values": figure.values,
        "median": figure.median,
        "limit_by": goal.limit_by,
        "limit_median": figure.limit,
        "verdict": figure.verdict,
    }
