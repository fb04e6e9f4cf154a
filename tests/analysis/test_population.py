"""Percentiles with lost = infinite, and what can be pooled."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis.delay import median
from probe.analysis.population import PER_MILLE, JitterSummary, Population, Share


def population(values: list[float]) -> Population:
    finite = sorted(value for value in values if math.isfinite(value))
    return Population(np.array(finite, np.float64), len(values) - len(finite))


def test_t11_percentiles_of_rfc_7679_and_rfc_2330() -> None:
    assert population([100, 110, math.inf, 90, 500]).value("p50") == 110
    assert median(np.array([100.0, 110, 90]), infinite=1) == 105
    four = population([100, 110, math.inf, 90])
    assert four.value("min") == 90
    assert sum(value <= 103 for value in four.finite) / four.n == 0.5
    six = population([-2, 7, 7, 4, 18, -5])
    assert [six.percentile(level) for level in (250, 500, 1000)] == [-2, 4, 18]
    assert median(six.finite) == 5.5
    assert Share(1, 5).ratio == 0.2  # RFC 7680: 0,0,1,0,0


@given(st.lists(st.one_of(st.integers(0, 50), st.just(math.inf)), min_size=1, max_size=300))
def test_a_percentile_is_the_smallest_value_with_enough_at_or_below(values: list[float]) -> None:
    ordered = sorted(values)
    for name, per_mille in PER_MILLE.items():
        level = Fraction(per_mille, 1000)
        smallest = next(x for i, x in enumerate(ordered) if Fraction(i + 1, len(ordered)) >= level)
        assert population(values).value(name) == smallest


def test_exactly_five_per_cent_lost_leaves_p95_finite() -> None:
    assert population([1.0] * 95 + [math.inf] * 5).value("p95") == 1
    assert population([1.0] * 94 + [math.inf] * 6).value("p95") == math.inf


def test_a_distribution_names_what_is_infinite() -> None:
    shown = population([1.0] * 90 + [3.0] * 4 + [math.inf] * 6).distribution()
    assert (shown.n, shown.min, shown.max, shown.p50, shown.p90) == (100, 1, 3, 1, 1)
    assert shown.mean == pytest.approx(102 / 94)
    assert (shown.p95, shown.p99, shown.p99_9) == (None, None, None)
    assert shown.infinite == ("p95", "p99", "p99_9")


def test_no_data_is_none_and_not_infinite() -> None:
    empty = population([]).distribution()
    assert (empty.n, empty.p50, empty.min, empty.infinite) == (0, None, None, ())
    assert Share(0, 0).ratio is None
    assert Share(0, 0).value() is None
    assert JitterSummary().value("max") is None
    lost = population([math.inf]).distribution()
    assert (lost.n, lost.mean, "p50" in lost.infinite) == (1, None, True)


def test_pools_are_of_packets_not_of_percentiles() -> None:
    first, second = population([1.0] * 99 + [50.0]), population([10.0, math.inf])
    both = Population.pooled([first, second])
    assert (both.n, both.infinite, list(both.finite[-2:])) == (102, 1, [10, 50])
    assert Share.pooled([Share(1, 10), Share(2, 90)]) == Share(3, 100)
    jitter = JitterSummary.pooled([JitterSummary(2, 5, 6, 1), JitterSummary(), JitterSummary(1, 3, 3, 3)])
    assert jitter.to_json() == {"max": 5, "mean": 3, "last": 3}
