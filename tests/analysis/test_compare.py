"""Pairs, differences and rankings of vendors and runs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from probe.analysis.admission import Examined, examine
from probe.analysis.compare import (
    BETTER,
    IMPROVED,
    NOT_REGRESSED,
    NOT_TOLD_APART,
    REGRESSED,
    TOO_FEW,
    WORSE,
    Row,
    Side,
    compare_runs,
)
from probe.analysis.pairing import Pair, differences
from probe.analysis.population import Population
from probe.analysis.ranking import rankings
from probe.analysis.results import SessionSummary
from tests.analysis.made import steady, summary

MODEL = summary(steady(50))


def session(vendor: str, value_ms: float, day: int = 1, **changes: object) -> SessionSummary:
    """Only its round trip matters."""
    at = f"2026-11-{day:02}"
    facts: dict[str, object] = {
        "vendor": vendor,
        "local_time": f"{at}T20:00:00+07:00",
        "started_at": f"{at}T13:00:00+00:00",
        "index": int(changes.pop("index", day)),  # type: ignore[call-overload]
    }
    values = {
        "rtt": Population(np.full(40, value_ms)) if math.isfinite(value_ms) else Population(np.empty(0), 40)
    }
    return replace(MODEL, record=replace(MODEL.record, **(facts | changes)), values=values)  # type: ignore[arg-type]


def rows(sessions: list[SessionSummary], *runs: str, reference: str | None = None) -> dict[str, list[Row]]:
    found = compare_runs(examine(sessions), runs or (MODEL.record.run_id,), reference)
    return {"vendors": list(found.vendors), "changes": list(found.changes), "relative": list(found.relative)}


def vendors(a: list[float], b: list[float]) -> Row:
    sessions = [session("a", value, day) for day, value in enumerate(a, 1)]
    sessions += [session("b", value, day) for day, value in enumerate(b, 1)]
    (row,) = rows(sessions)["vendors"]
    return row


NOISE = [0.0, 3.0, -2.0, 5.0, 1.0, -4.0]


def test_days_are_paired_so_that_a_common_bad_day_says_nothing() -> None:
    common = [100.0, 400.0, 60.0, 250.0, 80.0, 300.0]
    row = vendors(common, [value + 20 + noise for value, noise in zip(common, NOISE, strict=True)])
    assert (row.verdict, row.pairs, row.units, row.counted_in) == (WORSE, 6, 6, "day")
    assert row.shift is not None
    assert 18 <= row.shift <= 23
    back = vendors([value + 20 for value in common], common)
    assert (back.verdict, back.shift) == (BETTER, -20)


def test_no_difference_is_not_told_apart() -> None:
    row = vendors([100.0] * 6, [100.0 + noise for noise in NOISE])
    assert row.verdict == NOT_TOLD_APART
    assert row.low is not None
    assert row.low <= 0


def test_five_days_have_no_interval() -> None:
    row = vendors([100.0] * 5, [900.0] * 5)
    assert (row.verdict, row.low, row.units, row.min_units) == (TOO_FEW, None, 5, 6)


def test_an_infinite_percentile_is_worse_than_any() -> None:
    row = vendors([100.0] * 6, [math.inf] * 6)
    assert row.verdict == WORSE
    assert set(row.infinite) == {"second_value", "shift", "low", "high"}
    assert vendors([math.inf] * 6, [math.inf] * 6).verdict == NOT_TOLD_APART


def test_only_the_same_place_is_compared() -> None:
    sessions = [session("a", 50, day, scenario="voice") for day in range(1, 8)]
    sessions += [session("b", 80, day, scenario="video") for day in range(1, 8)]
    assert rows(sessions)["vendors"] == []


def test_what_is_objected_to_is_left_out() -> None:
    sessions = [session(name, 50, day) for name in "ab" for day in range(1, 8)]
    examined = [Examined(one, {"code": "our_side"} if one.record.vendor == "b" else None) for one in sessions]
    assert compare_runs(examined, (MODEL.record.run_id,)).vendors == ()


def test_windows_have_rows_of_their_own() -> None:
    sessions = [
        session(name, 50 + (40 if name == "b" and window == "peak" else 0), day, window=window, index=index)
        for day in range(1, 7)
        for index, window in enumerate(("offpeak", "peak"), 2 * day)
        for name in "ab"
    ]
    found = {row.window: row.verdict for row in rows(sessions)["vendors"]}
    assert list(found) == ["peak", "offpeak", "all"]
    assert (found["peak"], found["offpeak"]) == (WORSE, NOT_TOLD_APART)


def test_many_vendors_need_wider_intervals() -> None:
    sessions = [session(name, 50, day) for name in "abcd" for day in range(1, 10)]
    found = rows(sessions)["vendors"]
    assert len(found) == 6
    assert {round(row.confidence, 4) for row in found} == {round(1 - 0.05 / 6, 4)}
    assert {row.min_units for row in found} == {8}


def runs(change: dict[str, float]) -> list[SessionSummary]:
    return [
        session(vendor, 100 + noise + (more if run == "new" else 0), day, run_id=run)
        for run in ("old", "new")
        for vendor, more in change.items()
        for day, noise in enumerate(NOISE, 1 if run == "old" else 11)
    ]


def test_a_change_counts_beyond_the_margin() -> None:
    changes = {"a": 30.0, "b": 0.0, "c": -30.0, "d": 10.0}
    found = {row.second.vendor: row for row in rows(runs(changes), "old", "new")["changes"]}
    verdicts = {name: row.verdict for name, row in found.items() if row.units >= row.min_units}
    assert verdicts == {}  # six days, but four rows: eight are needed
    few = {name: rows(runs({name: more}), "old", "new")["changes"][0] for name, more in changes.items()}
    assert [few[name].verdict for name in "abc"] == [REGRESSED, NOT_REGRESSED, IMPROVED]
    assert few["a"].margin == pytest.approx(10.05)
    assert few["a"].first == Side("a", "old")


def test_a_reference_that_got_worse_as_much_takes_the_blame() -> None:
    both = rows(runs({"a": 30.0, "ref": 30.0}), "old", "new", reference="ref")["relative"]
    assert [(row.second.vendor, row.verdict) for row in both] == [("a", NOT_REGRESSED)]
    alone = rows(runs({"a": 30.0, "ref": 0.0}), "old", "new", reference="ref")["relative"]
    assert [row.verdict for row in alone] == [REGRESSED]


def test_differences_of_one_evening_are_counted_by_session() -> None:
    found = differences([Pair(1.0, 2.0, "2026-11-01")] * 8)
    assert found is not None
    assert (found.unit, len(found.values)) == ("session", 8)
    assert differences([]) is None


def test_ranks_are_shared_by_who_cannot_be_told_apart() -> None:
    sessions = [
        session(name, level + noise * (1 + number), day)
        for number, (name, level) in enumerate({"c": 150.0, "a": 100.0, "b": 100.0}.items())
        for day, noise in enumerate([*NOISE, 2.0, -1.0, 4.0], 1)
    ]
    ranked = rankings(rows(sessions)["vendors"])[("rtt.p95", "peak")]
    assert [place.vendor for place in ranked][2] == "c"
    assert [place.rank for place in ranked] == [1, 1, 3]


@pytest.mark.slow
def test_wrong_verdicts_are_as_rare_as_promised() -> None:
    """400 comparisons of two equal vendors on eight days: about one in twenty finds a difference."""
    random = np.random.default_rng(4)
    wrong = 0
    for _ in range(400):
        common = random.normal(100, 30, 8)
        first, second = (common + random.normal(0, 5, 8) for _ in "ab")
        wrong += vendors(first.tolist(), second.tolist()).verdict != NOT_TOLD_APART
    assert wrong / 400 < 0.08
