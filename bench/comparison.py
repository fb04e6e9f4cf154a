"""What is compared: subjects that run in turns, and the goals that their figures are held against."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Sample = dict[str, float]
"""What one subject measured in one round, by metric; units are in the names."""

PROBE = "probe"


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

    def value(self, samples: Mapping[str, Sample]) -> float | None:
        """The figure of one round; None when a sample lacks it."""
        mine = samples.get(self.subject, {}).get(self.metric)
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
        return Figure(goal, values, missing[0] if missing else "")


@dataclass(frozen=True, slots=True)
class Figure:
    """A goal and what was measured for it, a value a round."""

    goal: Goal
    values: list[float]
    missing: str = ""

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def verdict(self) -> str:
        """ "reached", "not reached" or "not measured"; the median decides."""
        median = self.median
        if median is None:
            return "not measured"
        return "reached" if self.goal.met(median) else "not reached"
