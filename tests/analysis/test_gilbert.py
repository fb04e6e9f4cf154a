"""Fitted loss models: what the impairment draws is found again."""

from __future__ import annotations

import numpy as np
import pytest

from probe.analysis.gilbert import Gilbert, fit_elliott, fit_gilbert, fit_loss
from probe.analysis.loss_pattern import loss_pattern
from probe.analysis.one_way import Mask
from probe.impairment.profile import Loss


def drawn(model: Gilbert, packets: int, seed: int) -> Mask:
    """A packet at a time, from the definition."""
    random = np.random.default_rng(seed).random((packets, 2))
    state, lost = False, np.zeros(packets, np.bool_)
    for i, (turn, hit) in enumerate(random.tolist()):
        state = turn >= model.r if state else turn < model.p
        lost[i] = state and hit < model.bad_loss
    return lost


def test_t16_gilbert() -> None:
    """quality.md T16: p = .01, q = .25."""
    model = Gilbert(0.01, 0.25)
    assert 100 * model.loss_ratio == pytest.approx(3.846, abs=1e-3)
    assert model.burst_ratio == pytest.approx(3.846, abs=1e-3)
    assert model.burst == 4


@pytest.mark.slow
def test_the_simple_model_is_found_again() -> None:
    lost = drawn(Gilbert(0.02, 0.25), 200_000, 1)
    found = fit_gilbert(lost)
    assert found is not None
    assert found.p == pytest.approx(0.02, rel=0.05)
    assert found.r == pytest.approx(0.25, rel=0.05)
    loss = fit_loss(lost)
    assert loss.ratio == np.count_nonzero(lost) / len(lost)
    assert loss.burst == loss_pattern(lost).mean_run
    assert loss.gilbert == pytest.approx((found.p, found.r), rel=1e-3)
    assert fit_elliott(lost) is None or fit_elliott(lost).bad_loss > 0.95  # type: ignore[union-attr]


@pytest.mark.slow
def test_elliotts_model_is_found_again() -> None:
    """Moments of netem.md 1.3: P = L B, and a covariance that decays with 1 - p - r."""
    model = Gilbert(0.01, 0.1, 0.6)
    lost = drawn(model, 400_000, 2)
    found = fit_elliott(lost)
    assert found is not None
    assert found.bad_loss == pytest.approx(0.6, abs=0.05)
    assert (found.p, found.r) == pytest.approx((0.01, 0.1), rel=0.15)
    assert found.loss_ratio == pytest.approx(np.count_nonzero(lost) / len(lost))
    assert loss_pattern(lost).mean_run == pytest.approx(model.burst, rel=0.05)
    assert model.burst_ratio == pytest.approx(model.burst * (1 - model.loss_ratio))


def test_independent_losses_have_no_burst() -> None:
    lost = np.random.default_rng(3).random(100_000) < 0.05
    assert fit_elliott(lost) is None
    burst = fit_loss(lost).burst
    assert burst is None or burst == pytest.approx(1 / 0.95, rel=0.02)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ("0000", Loss(0)),
        ("1111", Loss(1)),
        ("0101", Loss(0.5)),
        ("0110", Loss(0.5)),
        ("011100", Loss(0.5, 3)),
    ],
)
def test_what_a_profile_can_state(bits: str, expected: Loss) -> None:
    assert fit_loss(np.array([bit == "1" for bit in bits])) == expected


def test_too_little_to_fit() -> None:
    with pytest.raises(ValueError, match="no packet"):
        fit_loss(np.zeros(0, np.bool_))
    assert fit_gilbert(np.zeros(9, np.bool_)) is None
    assert fit_gilbert(np.ones(9, np.bool_)) is None
    assert fit_elliott(np.ones(9, np.bool_)) is None
    assert fit_elliott(np.arange(400) % 2 == 0) is None
