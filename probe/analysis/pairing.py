"""Which sessions are compared with which: those of the same place, each with its counterpart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from probe.analysis.admission import Examined
from probe.analysis.cells import PLACE, Key, pool
from probe.analysis.delay import Floats, median
from probe.objectives import find_metric

SAME = (*PLACE, "vantage", "emulated")
"""What two sessions must share to be compared."""

ENOUGH_DAYS = 6
"""Local days from which the day is the unit: sessions of one evening say much the same."""

Sides = Mapping[Key, list[Examined]]


@dataclass(frozen=True, slots=True)
class Pair:
    """One metric of both sides in the metric's unit, possibly infinite, and the local day of the second."""

    first: float
    second: float
    day: str

    @property
    def difference(self) -> float:
        """Second less first: positive is worse."""
        return 0.0 if self.first == self.second else self.second - self.first


@dataclass(frozen=True, slots=True)
class Differences:
    """`unit` is "day" or "session": what each of `values` stands for. `first` and `second`: medians over pairs."""

    values: Floats
    unit: str
    pairs: int
    first: float
    second: float


def place_of(session: Examined) -> Key:
    return tuple(getattr(session.record, name) for name in SAME)


def sides(sessions: Iterable[Examined], place: Callable[[Examined], Key]) -> dict[Key, list[Examined]]:
    """Sessions by place and by their turn in it: a node's second session of a cell meets the other's second."""
    turns: dict[Key, int] = {}
    found: dict[Key, list[Examined]] = {}
    for session in sorted(sessions, key=lambda one: (one.record.started_at, one.record.index)):
        key = place(session)
        of_node = (*key, session.record.run_id, session.record.vendor, session.record.node)
        turns[of_node] = turn = turns.get(of_node, -1) + 1
        found.setdefault((*key, turn), []).append(session)
    return found


def pairs(first: Sides, second: Sides, name: str) -> dict[Key, Pair]:
    """A pair for each place where both sides have the metric; several nodes of a side are pooled."""
    found = {}
    for key, sessions in second.items():
        values = _value(first.get(key, ()), name), _value(sessions, name)
        if values[0] is not None and values[1] is not None:
            found[key] = Pair(values[0], values[1], sessions[0].record.local_time[:10])
    return found


def _value(sessions: Sequence[Examined], name: str) -> float | None:
    metric, aggregate = find_metric(name)
    values = pool(sessions, metric.name)
    return None if values is None else values.value(aggregate)


def differences(found: Sequence[Pair]) -> Differences | None:
    """A difference a day where there are days enough, else one a pair; None of nothing.

    Two infinities say nothing about each other and count as no difference.
    """
    if not found:
        return None
    by_day: dict[str, list[float]] = {}
    for pair in found:
        by_day.setdefault(pair.day, []).append(pair.difference)
    if len(by_day) >= ENOUGH_DAYS:
        values, unit = [_median(day) for day in by_day.values()], "day"
    else:
        values, unit = [pair.difference for pair in found], "session"
    level = [_median([getattr(pair, side) for pair in found]) for side in ("first", "second")]
    return Differences(np.array(values), unit, len(found), level[0], level[1])


def _median(values: Sequence[float]) -> float:
    if -math.inf in values and math.inf in values:
        values = [value for value in values if not math.isinf(value)] or [0.0]
    return float(median(np.array(values)))
