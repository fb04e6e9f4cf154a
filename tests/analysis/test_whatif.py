"""Predictions against separate measurements, and what cannot be predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from probe.analysis.clustered import shares_of
from probe.analysis.fates import fates_of
from probe.analysis.one_way import directions
from probe.analysis.remedies import Remedy
from probe.analysis.whatif import MEETS, MISSES, Question, WhatIf, objection, own_remedy, what_if
from probe.metrics import Rows, empty_rows
from probe.records import SessionRecord
from tests.analysis.made import MS, crossings, record, steady
from tests.virtual_sessions import lossy, measure

SURE = 0.999
NACK = Remedy(retries=10)


def measured_interval(session: SessionRecord, rows: Rows, way: str) -> tuple[float, float]:
    """Of the residual that a session measured, over its seconds."""
    up, down, _ = directions(rows)
    fates = fates_of(session, rows, up, down)
    outcome = fates.up if way == "up" else fates.down
    assert outcome is not None
    second = (rows["scheduled_ns"] - rows["scheduled_ns"].min()) // 1_000_000_000
    hits = np.bincount(second[outcome.residual], minlength=int(second.max()) + 1).astype(np.float64)
    n = np.bincount(second[outcome.population]).astype(np.float64)
    low, high = shares_of(hits[:, None], n, np.arange(len(n) - 1)).interval((1 - SURE) / 2)
    return float(low[0]), float(high[0])


def predicted(session: SessionRecord, rows: Rows, *remedies: Remedy) -> dict[str, WhatIf]:
    found = what_if(session, rows, Question(session.deadline_ns, 0.01, SURE), remedies)
    return {one.way: one for one in found}


@pytest.mark.slow
def test_a_run_without_recovery_predicts_one_with_it() -> None:
    """Another seed, a session of its own, 10 % in bursts of 3 each way, 400 ms of buffer: within sampling error.

    The test would see a wrong number of retries: one alone leaves several times as much.
    """
    way = lossy(0.1, 3.0, jitter_ms=4)
    rule: dict[str, Any] = {"calls": 10, "seconds": 20, "deadline_ns": 400 * MS}
    plain = measure(way, way, seed=21, nack=False, **rule)
    repaired = measure(way, way, seed=22, nack=True, **rule)
    forecast = predicted(*plain, NACK, Remedy(retries=1))
    for name in ("up", "down"):
        live_low, live_high = measured_interval(*repaired, name)
        found = {one.remedy: one for one in forecast[name].predictions}
        low, high = found[NACK].low, found[NACK].high
        assert low is not None and high is not None
        assert low <= live_high and live_low <= high
        own = predicted(*repaired)[name]
        assert own.measured is not None and own.measured.remedy == NACK
        once = found[Remedy(retries=1)].low
        assert once is not None and once > 5 * own.measured.residual_ratio
        (again,) = own.predictions
        assert again.low is not None and again.high is not None
        assert again.low <= live_high and live_low <= again.high
        # A batch of arrivals cancels requests that were due within it: fewer needless copies than on sockets.
        assert again.overhead_ratio == pytest.approx(own.measured.overhead_ratio, abs=0.03)
        p50 = again.recovery_ms.p50
        assert p50 is not None
        assert p50 == pytest.approx(own.measured.recovery_ms.p50, rel=0.15)


def test_rows_are_by_cost_and_the_cheapest_that_meets_is_named() -> None:
    lost = set(range(3, 1000, 10))
    rows = crossings([None if at in lost else 30.0 for at in range(1000)], [40.0] * 1000)
    (up,) = what_if(record(nack=False, packets=1000), rows, Question(200 * MS, 0.01))
    costs = [one.overhead_ratio for one in up.predictions]
    assert costs == sorted(costs)
    assert up.cheapest is not None
    chosen = up.predictions[up.cheapest]
    assert chosen.verdict == MEETS
    assert all(one.verdict != MEETS for one in up.predictions[: up.cheapest])
    none = up.predictions[0]
    assert (none.remedy, none.residual_ratio, none.overhead_ratio) == (Remedy(), 0.1, 1.0)
    assert none.verdict == MISSES and none.buffer_ms == float("inf")
    assert none.recovery_ms.infinite[0] == "p50"
    red = next(one for one in up.predictions if one.remedy == Remedy(red=1))
    assert red.residual_ratio == 0
    assert red.recovery_ms.p95 == pytest.approx(20, abs=0.1)
    assert red.buffer_ms == pytest.approx(20, abs=0.1)
    assert up.measured is None and up.lost == 100 and up.n == 1000
    assert up.to_json()["cheapest"] == chosen.remedy.name


def test_a_deadline_shorter_than_the_round_trip_leaves_nothing_to_nack() -> None:
    lost = set(range(3, 1000, 10))
    rows = crossings([None if at in lost else 30.0 for at in range(1000)], [40.0] * 1000)
    (up,) = what_if(record(nack=False), rows, Question(80 * MS, 0.01), [NACK])
    assert up.predictions[0].residual_ratio == 0.1
    assert up.cheapest is None


def test_a_short_trace_has_no_interval() -> None:
    rows = crossings([None if at == 7 else 30.0 for at in range(100)], [40.0] * 100)
    (up,) = what_if(record(nack=False), rows, Question(200 * MS, 0.5), [Remedy()])
    (none,) = up.predictions
    assert (none.low, none.high, none.verdict, up.cheapest) == (None, None, "undecided", 0)


def test_one_way_streams_have_all_but_retransmission() -> None:
    session, rows = measure(
        lossy(0.05), lossy(0.0), seed=3, preset="live", seconds=8, bitrate_bps=400_000, nack=False
    )
    assert objection(session, rows) is None
    (up,) = what_if(session, rows, Question(session.deadline_ns, 0.01))
    assert {code for _, code in up.left_out} == {"no_way_back"}
    assert all(not one.remedy.retries for one in up.predictions)
    assert any(one.remedy.repair for one in up.predictions)


@pytest.mark.parametrize(
    ("rows", "changes", "code"),
    [
        (steady(), {}, "no_loss"),
        (empty_rows(0), {}, "no_packets"),
        (empty_rows(5), {}, "no_packets"),
        (steady(lost_up=3), {"transport": "quic-stream"}, "quic"),
        (steady(lost_up=3), {}, None),
    ],
)
def test_what_cannot_be_replayed(rows: Rows, changes: dict[str, str], code: str | None) -> None:
    assert objection(record(**changes), rows) == code


def test_the_remedy_of_a_session() -> None:
    assert own_remedy(record(nack=True)) == NACK
    assert own_remedy(record(nack=False)) is None
    assert own_remedy(record(nack=True, red=2)) == Remedy(retries=10, red=2)
    parity = Remedy(media=5, repair=1, interleave=4)
    assert own_remedy(record(nack=False, fec_k=5, fec_interleave=4)) == parity
    assert parity.name == "xor 5+1/4"


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule", [{"red": 2}, {"fec_k": 5}, {"fec_k": 3, "fec_interleave": 4}], ids=["red", "xor", "interleaved"]
)
def test_a_run_without_recovery_predicts_red_and_parity(rule: dict[str, int]) -> None:
    """As for NACK: another seed, a live session with the remedy, 10 % in bursts of 2 each way."""
    way = lossy(0.1, 2.0)
    usual: dict[str, Any] = {"calls": 5, "seconds": 20, "nack": False}
    plain = measure(way, way, seed=31, **usual)
    live = measure(way, way, seed=32, **usual, **rule)
    remedy = own_remedy(live[0])
    assert remedy is not None
    forecast = predicted(*plain, Remedy(), remedy)
    for name in ("up", "down"):
        live_low, live_high = measured_interval(*live, name)
        nothing, found = (
            next(one for one in forecast[name].predictions if one.remedy == asked)
            for asked in (Remedy(), remedy)
        )
        assert found.low is not None and found.high is not None and nothing.low is not None
        assert found.low <= live_high and live_low <= found.high
        own = predicted(*live)[name]
        assert own.measured is not None and own.measured.overhead_ratio is not None
        assert found.overhead_ratio == pytest.approx(own.measured.overhead_ratio, abs=0.03)
        assert nothing.low > own.measured.residual_ratio
