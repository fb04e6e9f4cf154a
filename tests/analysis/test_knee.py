"""Knees and the scalability law: quality.md T47."""

from __future__ import annotations

import numpy as np
import pytest

from probe.analysis.knee import best_load, knee, scalability


def test_t47_kneedle() -> None:
    x = np.linspace(0, 1, 10)
    assert knee(x, -1 / (x + 0.1) + 5) == pytest.approx(0.2222, abs=1e-4)


def test_a_flat_curve_has_no_knee() -> None:
    with pytest.raises(ValueError, match="a width and a height"):
        knee([0, 1, 2], [3, 3, 3])


def test_t47_scalability() -> None:
    best = best_load(0.02, 0.0005)
    assert best == pytest.approx(44.27, abs=5e-3)
    peak = scalability(best, 0.02, 0.0005)
    assert all(scalability(load, 0.02, 0.0005) < peak for load in (best - 1, best + 1))
