"""The incomplete beta function against exact binomial sums."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis.binomial import at_least, at_most, beta_quantile, first_true, incomplete_beta


@given(st.integers(1, 60), st.integers(-1, 61), st.integers(1, 99))
def test_tails_are_the_exact_sums(n: int, k: int, per_cent: int) -> None:
    p = Fraction(per_cent, 100)
    terms = [math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(n + 1)]
    assert at_most(k, n, float(p)) == pytest.approx(float(sum(terms[: max(0, k + 1)])), rel=1e-10, abs=1e-14)
    assert at_least(k, n, float(p)) == pytest.approx(float(sum(terms[max(0, k) :])), rel=1e-10, abs=1e-14)


def test_closed_forms() -> None:
    assert incomplete_beta(1, 5, 0.2) == pytest.approx(1 - 0.8**5, rel=1e-14)
    assert incomplete_beta(0.5, 0.5, 0.25) == pytest.approx(1 / 3, rel=1e-12)  # arcsine law
    assert (incomplete_beta(2, 3, 0), incomplete_beta(2, 3, 1)) == (0, 1)


def test_ten_million_packets() -> None:
    """The normal distribution with continuity correction and the Edgeworth term of the skewness."""
    n, p = 10_000_000, 0.01
    spread = math.sqrt(n * p * (1 - p))
    for sigma in (-2.0, 0.0, 1.5):
        k = round(n * p + sigma * spread)
        z = (k + 0.5 - n * p) / spread
        density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        skewed = (1 - 2 * p) / (6 * spread) * (1 - z**2) * density
        assert at_most(k, n, p) == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2)) + skewed, abs=1e-6)


@given(st.integers(1, 50), st.integers(1, 50), st.floats(0.01, 0.99))
def test_the_quantile_inverts(a: int, b: int, level: float) -> None:
    assert incomplete_beta(a, b, beta_quantile(a, b, level)) == pytest.approx(level, rel=1e-9)


@given(st.integers(0, 20), st.integers(-1, 22))
def test_bisection(high: int, bound: int) -> None:
    assert first_true(0, high, lambda k: k > bound) == min(max(0, bound + 1), high + 1)
