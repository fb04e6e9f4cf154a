"""What is compared: subjects that run in turns, and the goals that their figures are held against."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Sample = dict[str, float]
"""What one subject measured in one round, by metric; units are in the names."""

PROBE = "probe"
REACHED, NOT_REACHED = "reached", "not reached"
IMPOSSIBLE, NOT_MEASURED = "impossible here", "not measured"


class Skipped(Exception):
    """A subject cannot be measured here; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long one measurement lasts; rows derive their own lengths from it."""

    seconds: float = 3.0


Subject = Callable[[Effort], Sample]


@dataclass(frozen=True, slots=True)
class Goal:
    """`metric` of `subject`, divided by that of `against` in the same round (itself, if there is none),
    is to be at most `limit`, or at least."""

    what: str
    metric: str
    limit: float
    against: str | None = None
    least: bool = False
    subject: str = PROBE
    unit: str = ""
    """Of the metric; a ratio has none."""
    limit_by: str | None = None
    """A subject that shows, in place of ours, what this machine makes possible."""

    def value(self, samples: Mapping[str, Sample], subject: str | None = None) -> float | None:
        """The figure of one round, or what it would be with another subject; None when a sample lacks it."""
        mine = samples.get(subject or self.subject, {}).get(self.metric)
        if mine is None or self.against is None:
            return mine
        other = samples.get(self.against, {}).get(self.metric)
        return mine / other if other else None

    def met(self, value: float) -> bool:
        return value >= self.limit if self.least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Comparison:
    """One row of the table of figures: a file of `bench/rows` each."""

    name: str
    title: str
    subjects: Mapping[str, Subject]
    """In the order in which they take turns."""
    goals: tuple[Goal, ...]


@dataclass(slots=True)
class Outcome:
    """What the rounds of one comparison gave."""

    comparison: Comparison
    rounds: list[dict[str, Sample]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    """Subjects that cannot run here, and why."""
    failed: list[str] = field(default_factory=list)
    """Single measurements that went wrong, and how."""

    def figure(self, goal: Goal) -> Figure:
        values = [value for samples in self.rounds if (value := goal.value(samples)) is not None]
        missing = [self.skipped[name] for name in (goal.subject, goal.against) if name in self.skipped]
        limits = [goal.value(samples, goal.limit_by) for samples in self.rounds] if goal.limit_by else []
        return Figure(goal, values, [limit for limit in limits if limit is not None], "".join(missing[:1]))


@dataclass(frozen=True, slots=True)
class Figure:
    """A goal and what was measured for it, a value a round."""

    goal: Goal
    values: list[float]
    limits: list[float] = field(default_factory=list)
    """The same of the subject that shows what is possible."""
    missing: str = ""

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def limit(self) -> float | None:
        """What this machine makes possible, if that was measured."""
        return statistics.median(self.limits) if self.limits else None

    @property
    def verdict(self) -> str:
        """One of REACHED, NOT_REACHED, IMPOSSIBLE (not even the limit reaches it), NOT_MEASURED; medians decide."""
        median, limit = self.median, self.limit
        if median is None:
            return NOT_MEASURED
        if self.goal.met(median):
            return REACHED
        return IMPOSSIBLE if limit is not None and not self.goal.met(limit) else NOT_REACHED
