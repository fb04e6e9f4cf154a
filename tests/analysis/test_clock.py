"""The node's clock: its rate is found under the queues, its offset changes nothing."""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from probe.analysis.clock import MAX_SKEW, at_our_rate, line_under, node_clock
from probe.analysis.session import analyse_session
from probe.metrics import NEVER, Rows
from tests.analysis.made import MS, START, S, crossings, noisy, record


def test_t39_the_line_is_under_the_points_not_through_them() -> None:
    t = np.arange(0.0, 70, 10)
    y = np.array([80.0, 95, 81, 120, 82, 90, 99])
    line = line_under(t, y)
    assert line is not None
    assert line.slope == pytest.approx(0.05)  # ms a second: 50 ppm
    assert line.intercept == pytest.approx(80)
    corrected = y - line.slope * t
    assert sorted(corrected)[:3] == pytest.approx([80, 80, 80])
    assert np.polyfit(t, y, 1)[0] == pytest.approx(0.171, abs=1e-3)  # what must not be used


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 100)), min_size=2, max_size=12))
def test_it_is_the_highest_such_line_at_the_mean_time(points: list[tuple[int, int]]) -> None:
    t, y = (np.array(values, np.float64) for values in zip(*points, strict=True))
    assume(t.min() != t.max())
    best = -math.inf
    for i, j in combinations(range(len(t)), 2):
        if t[i] != t[j]:
            slope = (y[j] - y[i]) / (t[j] - t[i])
            intercept = y[i] - slope * t[i]
            if (y - slope * t - intercept >= -1e-9).all():
                best = max(best, slope * t.mean() + intercept)
    line = line_under(t, y)
    assert line is not None
    assert (y - line.slope * t - line.intercept >= -1e-9).all()
    assert line.slope * t.mean() + line.intercept == pytest.approx(best)


@pytest.mark.parametrize("piece", [1, 7, 64])
def test_a_line_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    random = np.random.default_rng(8)
    t = np.arange(200.0)
    y = 1e-3 * t + random.gamma(2, 5, 200)
    whole = line_under(t, y)
    monkeypatch.setattr("probe.analysis.pieces.PIECE", piece)
    assert line_under(t, y) == whole


def test_no_line_without_two_times() -> None:
    assert line_under(np.array([1.0]), np.array([2.0])) is None
    assert line_under(np.array([1.0, 1.0]), np.array([2.0, 3.0])) is None


def stored_with_another_clock(rows: Rows, skew: float, offset_ns: int) -> Rows:
    """The same session, had the node's clock run `skew` fast and been `offset_ns` ahead."""
    changed = rows.copy()
    for name in ("node_received_ns", "node_sent_ns", "up_repaired_ns"):
        known = rows[name] != NEVER
        drift = np.rint((rows[name][known] - START) * skew).astype(np.int64)
        changed[name][known] = rows[name][known] + drift + offset_ns
    return changed


def numbers(document: Any, path: str = "") -> dict[str, Any]:
    if isinstance(document, dict):
        parts = [numbers(value, f"{path}.{key}") for key, value in document.items() if key != "clock"]
        return {key: value for part in parts for key, value in part.items()}
    return {path: document}


@pytest.mark.parametrize("skew_ppm", [0, 100, -100])
@pytest.mark.parametrize("hours", [0, 7, -30])
@pytest.mark.parametrize("seed", [1, 2])
def test_offset_and_skew_change_no_value(skew_ppm: int, hours: int, seed: int) -> None:
    rows = noisy(3000, seed, streams=2)
    session = record(calls=2, packets=1500, deadline_ns=20 * MS)
    before = numbers(json.loads(json.dumps(analyse_session(session, rows).to_json())))
    shifted = stored_with_another_clock(rows, skew_ppm * 1e-6, hours * 3600 * S)
    after = numbers(json.loads(json.dumps(analyse_session(session, shifted).to_json())))
    assert before.keys() == after.keys()
    for name, value in before.items():
        if isinstance(value, float) and name.endswith("_ratio"):
            assert after[name] == value, name
        elif isinstance(value, float):
            assert after[name] == pytest.approx(value, rel=1e-3, abs=1e-3), name  # 1 us
        else:
            assert after[name] == value, name


def test_the_skew_is_found() -> None:
    rows = stored_with_another_clock(noisy(3000, 3), 100e-6, 5 * 3600 * S)
    clock = node_clock(*(rows[n] for n in ("sent_ns", "node_received_ns", "node_sent_ns", "received_ns")))
    assert clock.skew == pytest.approx(100e-6, abs=5e-6)
    assert not clock.trend
    without_down = node_clock(
        rows["sent_ns"], rows["node_received_ns"], rows["node_sent_ns"], NEVER + 0 * rows["sent_ns"]
    )
    assert without_down.skew == pytest.approx(100e-6, abs=10e-6)
    assert without_down.down_slope is None


def test_a_growing_queue_is_no_clock_and_stays_in_the_values() -> None:
    n = 1000
    growing: list[float | None] = [30 + 0.04 * i for i in range(n)]  # 2000 ppm
    rows = crossings(growing, [40.0] * n)
    found = analyse_session(record(), rows)
    assert found.quality["clock"]["path_trend"] is True
    assert found.quality["clock"]["up_slope_ppm"] == pytest.approx(2000)
    assert found.quality["clock"]["skew_ppm"] == pytest.approx(0, abs=1)
    assert found.up.pdv_ms.max == pytest.approx(0.04 * (n - 1), rel=1e-3)
    assert found.down is not None
    assert found.down.pdv_ms.max == pytest.approx(0, abs=1e-3)
    assert MAX_SKEW == 500e-6


def test_never_stays_never() -> None:
    assert at_our_rate(np.array([NEVER, START, START + S]), 100e-6, START).tolist() == [NEVER, 0, 999_900_010]
