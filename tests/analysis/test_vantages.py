"""Places compared: coverage of the intervals on drawn sessions, order, and what too few sessions say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from probe.analysis.vantages import Cell, Place, Seen, hodges_lehmann, vantage_rows

JAVA = Cell("ID", "alpha", "jkt-1", "Jakarta", "Asia/Jakarta", "voice", "clean", "peak", "udp")
SUMATRA = replace(JAVA, node="mdn-1", node_city="Medan")
XL, TELKOMSEL = Place("sby-xl", "xl", "Surabaya"), Place("jkt-telkomsel", "telkomsel", "Jakarta")


def seen(cell: Cell, place: Place, values: list[float], lost: int = 1, days: int = 5) -> list[Seen]:
    return [
        Seen(cell, place, f"2026-11-{at % days + 1:02}", value, lost, 100) for at, value in enumerate(values)
    ]


def test_the_best_place_is_first_and_the_others_are_compared_with_it() -> None:
    slow, quick = [float(100 + at) for at in range(20)], [float(40 + at) for at in range(20)]
    rows = vantage_rows([*seen(JAVA, XL, slow, 3), *seen(SUMATRA, XL, slow), *seen(JAVA, TELKOMSEL, quick)])
    assert [(row.cell.node, row.place) for row in rows] == [
        ("jkt-1", TELKOMSEL),
        ("jkt-1", XL),
        ("mdn-1", XL),
    ]
    best, other, alone = rows
    assert (best.p95_ms, best.sessions, best.days, best.loss_ratio) == (49.0, 20, 5, 0.01)
    assert best.interval.low < 49.0 < best.interval.high
    assert (other.against, other.difference_ms, other.loss_ratio) == (TELKOMSEL, 60.0, 0.03)
    assert other.difference is not None
    assert 50 < other.difference.low < 60 < other.difference.high < 70
    assert alone.against is best.against is None
    assert other.counted_in == "session"


def test_the_weather_of_a_day_is_taken_out_where_both_have_six() -> None:
    """Days differ by tens of ms, alike for both places; between the places are 6 ms."""
    rng = np.random.default_rng(1)
    weather = rng.uniform(0, 80, 8)
    base, other = (
        [float(weather[at % 8] + 40 + more + rng.normal(0, 1)) for at in range(24)] for more in (0.0, 6.0)
    )
    quick, slow = vantage_rows([*seen(JAVA, XL, other, days=8), *seen(JAVA, TELKOMSEL, base, days=8)])
    assert (quick.place, slow.place, slow.counted_in) == (TELKOMSEL, XL, "day")
    assert slow.difference is not None
    assert 4 < slow.difference.low < 6 < slow.difference.high < 8
    assert slow.difference_ms is not None
    sessions = hodges_lehmann(other, base, 0.95)[1]
    assert sessions.high - sessions.low > 15  # what the sessions alone would say


def test_few_sessions_have_no_interval() -> None:
    rows = vantage_rows([*seen(JAVA, XL, [50.0, 51.0]), *seen(JAVA, TELKOMSEL, [40.0])])
    assert all(math.isinf(row.interval.low) for row in rows)
    assert rows[1].difference is not None
    assert math.isinf(rows[1].difference.high)


def test_an_infinite_percentile_is_worse_than_any() -> None:
    rows = vantage_rows([*seen(JAVA, XL, [math.inf] * 8), *seen(JAVA, TELKOMSEL, [40.0] * 8)])
    assert [row.place for row in rows] == [TELKOMSEL, XL]
    assert rows[1].p95_ms == math.inf
    assert rows[1].difference_ms == math.inf
    both = vantage_rows([*seen(JAVA, XL, [math.inf] * 8), *seen(JAVA, TELKOMSEL, [math.inf] * 8)])
    assert both[1].difference_ms is None


def test_the_interval_covers_the_shift_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(400):
        base, other = rng.lognormal(3, 0.4, 15), rng.lognormal(3, 0.4, 12) + 6
        _, interval = hodges_lehmann(other.tolist(), base.tolist(), 0.95)
        hits += interval.low <= 6 <= interval.high
    assert hits / 400 > 0.93
