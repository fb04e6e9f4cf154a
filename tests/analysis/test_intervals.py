"""Intervals and gates against published tables and the numbers of quality.md 4 and 7."""

from __future__ import annotations

import math

import numpy as np
import pytest

from probe.analysis.intervals import (
    clopper_pearson,
    least_n,
    quantile_gate,
    quantile_interval,
    quantile_ranks,
    upper_of_none,
    wilson,
)
from probe.analysis.population import Population
from probe.analysis.results import FAIL, INCONCLUSIVE, PASS


@pytest.mark.parametrize(
    ("n", "lower", "upper", "percent"),
    [
        *((6, 1, 6, 96.9), (9, 2, 8, 96.1), (10, 2, 9, 97.9), (15, 4, 12, 96.5), (17, 5, 13, 95.1)),
        *((20, 6, 15, 95.9), (31, 10, 22, 97.1), (100, 40, 61, 96.5)),
    ],
)
def test_t42_median(n: int, lower: int, upper: int, percent: float) -> None:
    """Textbook table A.7: order statistics that enclose the median with 95 %."""
    found = quantile_ranks(n, 0.5)
    assert (found.lower, found.upper) == (lower, upper)
    assert 100 * found.coverage == pytest.approx(percent, abs=0.051)


@pytest.mark.parametrize(
    ("p", "n", "lower", "upper"),
    [
        *((0.95, 300, 277, 293), (0.95, 1000, 936, 964), (0.99, 368, 360, 368), (0.99, 1000, 983, 997)),
        *((0.99, 3000, 2959, 2981), (0.99, 10000, 9880, 9920), (0.999, 5000, 4990, 5000)),
    ],
)
def test_t43_quantiles(p: float, n: int, lower: int, upper: int) -> None:
    found = quantile_ranks(n, p)
    assert (found.lower, found.upper, found.enough) == (lower, upper, True)
    assert found.coverage >= 0.95


@pytest.mark.parametrize(("p", "n"), [(0.99, 300), (0.999, 3000)])
def test_t43_too_few_for_an_upper_limit(p: float, n: int) -> None:
    found = quantile_ranks(n, p)
    assert (found.upper, found.enough) == (n + 1, False)


def test_an_infinite_limit_says_why() -> None:
    values = np.arange(1.0, 301.0)
    interval, ranks = quantile_interval(Population(values), 990)
    assert (interval.high, ranks.enough) == (math.inf, False)  # too few values
    interval, ranks = quantile_interval(Population(values[:290], 10), 950)
    assert (interval.low, interval.high, ranks.enough) == (277, math.inf, True)  # among the lost
    interval, ranks = quantile_interval(Population(values), 950)
    assert (interval.low, interval.high) == (277, 293)
    interval, _ = quantile_interval(Population(values[:3]), 500)
    assert (interval.low, interval.high) == (-math.inf, math.inf)
    assert not quantile_ranks(0, 0.5).enough


@pytest.mark.parametrize(
    ("p", "two", "one"), [(0.9, 36, 29), (0.95, 72, 59), (0.99, 368, 299), (0.999, 3688, 2995)]
)
def test_least_n(p: float, two: int, one: int) -> None:
    """quality.md 4.1."""
    assert least_n(p) == two
    assert least_n(p, two_sided=False) == one
    assert not quantile_ranks(two - 1, p).enough and quantile_ranks(two, p).enough


@pytest.mark.parametrize(
    ("p", "n", "passing", "failing"),
    [
        *((0.95, 300, 8, 22), (0.95, 1000, 38, 63), (0.99, 300, 0, 7), (0.99, 1000, 4, 16)),
        *((0.99, 3000, 20, 40), (0.999, 3000, 0, 7)),
    ],
)
def test_t44_three_way_gate(p: float, n: int, passing: int, failing: int) -> None:
    """quality.md 4.4: the largest count that passes and the smallest that fails."""
    assert quantile_gate(passing, n, p) == PASS
    assert quantile_gate(passing + 1, n, p) == INCONCLUSIVE
    assert quantile_gate(failing - 1, n, p) == INCONCLUSIVE
    assert quantile_gate(failing, n, p) == FAIL


def test_dependent_values_decide_later() -> None:
    assert quantile_gate(8, 300, 0.95, inflation=2) == INCONCLUSIVE
    assert quantile_gate(22, 300, 0.95, inflation=2) == INCONCLUSIVE
    assert quantile_gate(16, 600, 0.95, inflation=2) == PASS
    assert quantile_gate(44, 600, 0.95, inflation=2) == FAIL
    assert quantile_gate(0, 3, 0.95, inflation=9) == INCONCLUSIVE


def test_t44_loss() -> None:
    assert 100 * clopper_pearson(0, 300).high == pytest.approx(1.222, abs=1e-3)
    assert clopper_pearson(0, 300).low == 0
    assert 100 * upper_of_none(300) == pytest.approx(0.9936, abs=1e-4)
    exact, score = clopper_pearson(10, 1000), wilson(10, 1000)
    assert (100 * exact.low, 100 * exact.high) == pytest.approx((0.481, 1.831), abs=1e-3)
    assert (100 * score.low, 100 * score.high) == pytest.approx((0.544, 1.831), abs=1e-3)


def test_ratios_at_their_ends() -> None:
    assert (clopper_pearson(5, 5).high, wilson(5, 5).high, wilson(0, 5).low) == (1, 1, 0)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)
    assert clopper_pearson(5, 5).low == pytest.approx(0.025 ** (1 / 5))
