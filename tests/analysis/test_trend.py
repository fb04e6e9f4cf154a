"""Trends and changes: quality.md T47."""

from __future__ import annotations

import pytest

from probe.analysis.trend import first_alarm, trend

T47 = (100, 102, 101, 105, 107, 108, 112)


def test_t47_mann_kendall_and_theil_sen() -> None:
    found = trend(T47)
    assert found.s == 19
    assert found.variance == pytest.approx(44.33, abs=5e-3)
    assert found.z == pytest.approx(2.703, abs=5e-4)
    assert found.p == pytest.approx(0.0069, abs=5e-5)
    assert (found.slope, found.low, found.high) == (2.0, 1.5, 2.75)


def test_a_falling_trend_is_the_mirror() -> None:
    found, mirror = trend(T47), trend([-value for value in T47])
    assert (mirror.s, mirror.p) == (-found.s, found.p)
    assert (mirror.slope, mirror.low, mirror.high) == (-found.slope, -found.high, -found.low)


def test_equal_values_have_no_trend() -> None:
    found = trend([5, 5, 5, 5])
    assert (found.s, found.variance, found.p, found.slope) == (0, 0, 1, 0)
    with pytest.raises(ValueError, match="two values"):
        trend([1])


def test_t47_cusum() -> None:
    """The sum is 10 at the ninth value."""
    values = [80, 81, 79, 80, 82, 80, 79, 81, 90]
    assert first_alarm(values, 80, 1) == 8
    assert first_alarm(values, 80, 1, limit=10) is None
    assert first_alarm(values[:8], 80, 1) is None
