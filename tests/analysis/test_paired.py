"""Hodges-Lehmann shifts against published data (quality.md T45)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from probe.analysis.many import holm
from probe.analysis.paired import paired_shift, unpaired_shift


def test_t45_mann_whitney_and_its_shift() -> None:
    found = unpaired_shift(np.array([19.0, 22, 16, 29, 24]), np.array([20.0, 11, 17, 12]))
    assert (found.statistic, found.value) == (17, 7.0)
    assert found.p == pytest.approx(0.1111, abs=1e-4)


def test_t45_signed_ranks_and_their_shift() -> None:
    differences = np.array([6.0, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75])
    found = paired_shift(differences)
    assert found.statistic == 24
    assert found.p == pytest.approx(0.04126, abs=1e-5)
    assert (found.value, found.low, found.high) == (25.0, 4.0, 41.5)
    assert found.coverage == pytest.approx(0.952, abs=1e-3)


@pytest.mark.parametrize(
    ("n", "k", "coverage"), [(6, 1, 0.969), (7, 3, 0.953), (8, 4, None), (10, 9, None), (14, 22, None)]
)
def test_ranks_of_the_interval(n: int, k: int, coverage: float | None) -> None:
    """quality.md 4.5: the k-th smallest and largest Walsh average."""
    values = np.array([3.0**power for power in range(n)])  # all averages differ
    i, j = np.triu_indices(n)
    walsh = np.sort((values[i] + values[j]) / 2)
    found = paired_shift(values)
    assert (found.low, found.high) == (walsh[k - 1], walsh[-k])
    assert coverage is None or found.coverage == pytest.approx(coverage, abs=1e-3)


def test_five_days_have_no_interval() -> None:
    found = paired_shift(np.arange(1.0, 6.0))
    assert (found.value, found.low, found.high) == (3.0, None, None)


def test_infinite_days_are_ranked() -> None:
    found = paired_shift(np.array([10.0, 12, 11, 13, 9, 10, math.inf]))
    assert found.value == 11.25
    assert found.high == math.inf


def test_t47_holm() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.04, 0.01]) == pytest.approx([0.04, 0.02])
    assert holm([]) == []
