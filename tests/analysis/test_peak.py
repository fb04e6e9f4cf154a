"""Evening peak against off-peak."""

from __future__ import annotations

from typing import Any

import pytest

from probe.analysis.admission import examine
from probe.analysis.judge import judge
from probe.analysis.peak import margin, peak_rows
from probe.analysis.results import Judgement, PeakRow, SessionSummary
from probe.metrics import Rows, empty_rows
from probe.objectives import Evidence, Threshold, parse_expression
from tests.analysis.made import about, steady, summary

ONE_DAY = Evidence(min_days=1)
WEEK = range(10, 17)


def evening(day: int = 22, rows: Rows | None = None, **changes: Any) -> SessionSummary:
    return summary(rows, **({"window": "peak", "local_time": f"2026-11-{day}T19:30:00+07:00"} | changes))


def morning(day: int = 22, rows: Rows | None = None, **changes: Any) -> SessionSummary:
    return summary(rows, **({"window": "offpeak", "local_time": f"2026-11-{day}T04:30:00+07:00"} | changes))


def rows_of(
    *sessions: SessionSummary, history: tuple[SessionSummary, ...] = (), evidence: Evidence = ONE_DAY
) -> dict[str, PeakRow]:
    return {row.metric: row for row in peak_rows(examine(sessions), examine(history), evidence)}


def week(rows: Rows, **changes: Any) -> list[SessionSummary]:
    """Seven evenings of these rows, and seven usual mornings."""
    return [make for day in WEEK for make in (evening(day, rows, **changes), morning(day))]


def test_a_worse_evening_is_degraded_and_a_small_change_is_not() -> None:
    row = rows_of(*week(steady(1000, 60, 40)))["rtt.p95"]
    assert (row.peak, row.offpeak, row.shift, row.verdict) == (100, 70, 30, "degraded")
    assert (row.low, row.high) == (about(30), about(30))
    assert (row.ratio, row.ratio_low) == (about(100 / 70), about(100 / 70))
    assert (row.days, row.n_peak, row.n_offpeak, row.unit, row.paired) == (7, 7000, 7000, "ms", True)
    assert row.reason == {"code": "beyond_margin", "margin": 10}
    assert rows_of(*week(steady(1000, 39, 40)))["rtt.p95"].verdict == "not_degraded"


def test_margins_are_both_absolute_and_relative() -> None:
    assert (margin("ms", 70), margin("ms", 300)) == (10, 30)
    assert (margin("%", 0.1), margin("%", 4)) == (0.3, 2)
    found = rows_of(*week(steady(1000, lost_up=2)))["up.loss"]
    assert (found.shift, found.verdict, found.ratio) == (about(0.2), "not_degraded", None)
    assert "ratio" in found.infinite
    found = rows_of(*week(steady(1000, lost_up=4)))["up.loss"]
    assert (found.verdict, found.unit) == ("degraded", "%")


@pytest.mark.parametrize("evidence", [ONE_DAY, Evidence()])  # a plan cannot ask for less than the method
def test_too_few_days_are_inconclusive_but_the_shift_is_shown(evidence: Evidence) -> None:
    row = rows_of(evening(rows=steady(1000, 60, 40)), morning(), evidence=evidence)["rtt.p95"]
    assert (row.verdict, row.shift) == ("inconclusive", 30)
    assert row.reason == {"code": "too_few_days", "days": 1, "min_days": 6, "missing": 5}


def test_days_are_paired_and_ranked() -> None:
    sessions = []
    for day, extra in zip(range(10, 17), (20, 20, 20, 25, 30, 200, 0), strict=True):
        sessions.append(evening(day, steady(1000, 30 + extra, 40)))
        if day != 16:
            sessions.append(morning(day))
    row = rows_of(sessions[0], history=tuple(sessions[1:]), evidence=Evidence())["rtt.p95"]
    assert (row.days, row.shift, row.verdict) == (6, about(25), "degraded")
    assert (row.low, row.high) == (about(20), about(200))


def test_days_near_the_margin_are_not_enough() -> None:
    sessions = []
    for day, extra in zip(range(10, 16), (2, 25, 12, 5, 18, 14), strict=True):
        sessions += [evening(day, steady(1000, 30 + extra, 40)), morning(day)]
    row = rows_of(*sessions)["rtt.p95"]
    assert (row.verdict, row.reason["code"]) == ("inconclusive", "straddles_margin")
    assert row.reason["more"]["unit"] == "evening"


def test_earlier_runs_of_other_cells_or_places_take_no_part() -> None:
    others = (
        *(morning(transport="quic-stream"), morning(node="other")),
        *(morning(vantage="jkt"), morning(emulated=True)),
    )
    row = rows_of(evening(), history=others)["rtt.p95"]
    assert (row.verdict, row.reason) == ("inconclusive", {"code": "window_missing", "window": "offpeak"})


@pytest.mark.parametrize(
    ("sessions", "reason"),
    [
        ((evening(),), {"code": "window_missing", "window": "offpeak"}),
        ((morning(),), {"code": "window_missing", "window": "peak"}),
        ((summary(window="other"),), {"code": "outside_windows"}),
    ],
)
def test_why_there_is_no_verdict(sessions: tuple[SessionSummary, ...], reason: dict[str, Any]) -> None:
    row = rows_of(*sessions)["rtt.p95"]
    assert (row.verdict, row.reason) == ("inconclusive", reason)


def test_enough_days_of_too_few_packets() -> None:
    row = rows_of(*week(steady(60)))["rtt.p95"]
    reason = {"code": "too_few_packets", "n": 420, "min_packets": 500, "window": "peak"}
    assert (row.verdict, row.reason) == ("inconclusive", reason)


def test_an_invalid_measurement_is_as_if_absent() -> None:
    row = rows_of(evening(counters={"policed": 100}), morning())["rtt.p95"]
    assert row.reason == {"code": "window_missing", "window": "peak"}


def test_infinite_evenings() -> None:
    dead = evening(rows=steady(1000, lost_up=100))
    row = rows_of(*week(steady(1000, lost_up=100)))["rtt.p95"]
    assert (row.peak, row.shift, row.verdict) == (None, None, "degraded")
    assert {"peak", "shift", "ratio", "low", "high"} <= set(row.infinite)
    both = rows_of(dead, morning(rows=steady(1000, lost_up=100)))["rtt.p95"]
    assert (both.verdict, both.days, both.reason["code"]) == ("inconclusive", 0, "too_few_days")


def test_only_metrics_with_values_have_rows() -> None:
    found = rows_of(evening(), morning())
    assert set(found) == {
        *("rtt.p95", "up.pdv.p95", "down.pdv.p95", "up.loss", "down.loss"),
        *("up.residual", "down.residual", "connect.p50"),
    }
    assert found["connect.p50"].reason["code"] == "too_few_days"
    quic: dict[str, Any] = {"transport": "quic-stream", "handshake_ms": 50.0}
    assert "handshake.p50" in rows_of(evening(**quic), morning(**quic))
    assert found["rtt.p95"].to_json()["low"] is None


def test_controls_have_no_rows() -> None:
    assert rows_of(evening(role="control"), morning(role="control")) == {}


def judged(
    text: str, *sessions: SessionSummary, history: tuple[SessionSummary, ...] = (), **scope: Any
) -> Judgement:
    return judge([Threshold(parse_expression(text), "gate", scope)], ONE_DAY, sessions, history)[0]


def test_thresholds_on_the_change() -> None:
    bad = week(steady(1000, 60, 40))
    assert judged("peak_ratio(rtt.p95) < 1.5x", *bad).verdict == "pass"
    failed = judged("peak_shift(rtt.p95) < 20ms", *bad, window="peak")
    assert (failed.verdict, failed.value, failed.unit) == ("fail", about(30), "ms")
    assert (failed.low, failed.high, failed.counted_in) == (about(30), about(30), "day")
    assert failed.scope == {
        "vendor": "alpha",
        "node": "jkt-1",
        "scenario": "voice",
        "network": "clean",
        "transport": "udp",
    }
    assert judged("peak_shift(rtt.p95) < 20ms", bad[0], history=tuple(bad[1:])).verdict == "fail"
    assert judged("peak_ratio(rtt.p95) < 2", bad[0]).reason["code"] == "window_missing"
    assert judged("peak_ratio(rtt.p95) < 2", *bad[:2]).reason["code"] == "too_few_days"
    lossy = week(steady(1000, lost_up=10))
    assert judged("peak_ratio(up.loss) < 2", *lossy).reason["code"] == "offpeak_zero"
    infinite = judged("peak_shift(rtt.p95) < 20ms", *week(steady(1000, lost_up=100)))
    assert (infinite.verdict, infinite.infinite) == ("fail", ("value", "low", "high"))


def test_an_unreachable_evening_shows_in_connect() -> None:
    gone: dict[str, Any] = {"outcome": "unreachable", "connect_ms": None}
    row = rows_of(*week(empty_rows(0), **gone))["connect.p50"]
    assert (row.verdict, row.n_peak) == ("degraded", 7)
    assert {"peak", "shift", "ratio"} <= set(row.infinite)
