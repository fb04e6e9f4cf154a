"""Student's t and chi-square against printed tables."""

from __future__ import annotations

import math

import pytest

from probe.analysis.student import beyond, critical, least_variance


@pytest.mark.parametrize(("freedom", "t"), [(1, 12.706), (4, 2.776), (5, 2.571), (7, 2.365), (30, 2.042)])
def test_critical_values(freedom: int, t: float) -> None:
    assert critical(freedom, 0.025) == pytest.approx(t, abs=1e-3)
    assert beyond(t, freedom) == pytest.approx(0.025, abs=1e-4)
    assert beyond(-t, freedom) == pytest.approx(0.975, abs=1e-4)


def test_extremes() -> None:
    assert (beyond(math.inf, 3), beyond(-math.inf, 3), beyond(0.0, 3)) == (0.0, 1.0, 0.5)


@pytest.mark.parametrize(("freedom", "chi2"), [(1, 0.00393), (5, 1.145), (10, 3.940), (30, 18.493)])
def test_least_variance_is_chi_squares_lower_quantile(freedom: int, chi2: float) -> None:
    assert least_variance(freedom, 0.05) * freedom == pytest.approx(chi2, rel=1e-3)
