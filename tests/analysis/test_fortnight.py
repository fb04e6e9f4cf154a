"""A fortnight of evenings with a known change: how often the peak verdict is right, wrong, or not given."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from probe.analysis.admission import Examined
from probe.analysis.peak import compare, verdict_of
from probe.analysis.population import Population
from probe.analysis.results import SessionSummary
from probe.objectives import Evidence
from tests.analysis.made import record
from tests.analysis.vendors import NO_WAY, NOTHING

DAYS, A_WINDOW = 14, 3


def session(day: int, number: int, window: str, p95: float) -> Examined:
    hour = 20 if window == "peak" else 4
    made = record(
        index=number,
        window=window,
        started_at=f"2026-11-{day + 1:02}T{hour:02}:{number:02}:00+00:00",
        local_time=f"2026-11-{day + 1:02}T{hour:02}:{number:02}:00+07:00",
    )
    trips = Population(np.sort(p95 - 10 + 200 * np.arange(600) / 600 * 0.05263))
    values = {"rtt": trips, "loss": Population(np.zeros(600))}
    quality = {"grade": "good"}
    return Examined(SessionSummary(made, {}, NOTHING, None, NO_WAY, None, None, quality, values), None)


def fortnight(shift: float, random: np.random.Generator, paired: bool = True) -> list[Examined]:
    """Off-peak 70 ms; days differ by 8 ms, evenings by 4 ms about their shift, sessions by 3 ms."""
    found = []
    of_day = random.normal(0, 8, DAYS)
    of_evening = shift + random.normal(0, 4, DAYS)
    for day in range(DAYS):
        for window, more in (("offpeak", 0.0), ("peak", of_evening[day])):
            if not paired and (window == "peak") != (day % 2 == 0):
                continue
            level = 70 + of_day[day] + more
            found += [session(day, n, window, level + random.normal(0, 3)) for n in range(A_WINDOW)]
    return found


def verdicts(shift: float, repeats: int = 200) -> Counter[str]:
    random = np.random.default_rng(14)
    found: Counter[str] = Counter()
    for _ in range(repeats):
        comparison = compare(fortnight(shift, random), "rtt", "p95", Evidence())
        found[verdict_of(comparison, "ms")[0]] += 1
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shift", "mostly", "wrong"),
    [
        (15.0, "degraded", "not_degraded"),
        (0.0, "not_degraded", "degraded"),
        (9.0, "inconclusive", "degraded"),
    ],
)
def test_two_hundred_fortnights(shift: float, mostly: str, wrong: str) -> None:
    found = verdicts(shift)
    assert found[mostly] >= (0.5 if mostly == "inconclusive" else 0.8) * found.total()
    assert found[wrong] <= 0.05 * found.total()


def test_windows_of_different_days_are_compared_and_called_so() -> None:
    sessions = fortnight(60.0, np.random.default_rng(1), paired=False)
    found = compare(sessions, "rtt", "p95", Evidence())
    assert not found.paired
    assert verdict_of(found, "ms")[0] == "degraded"


def test_an_evening_past_midnight_is_the_evening_it_began_as() -> None:
    sessions = fortnight(15.0, np.random.default_rng(2))
    late = [s for s in sessions if s.record.window == "peak"]
    for one in late:
        day = int(one.record.local_time[8:10])
        one.record.local_time = f"2026-11-{day + 1:02}T00:30:00+07:00"
    assert compare(sessions, "rtt", "p95", Evidence()).days == DAYS
