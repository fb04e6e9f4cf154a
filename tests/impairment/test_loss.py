"""Loss processes against the closed forms of the two-state chain."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from probe.impairment.draws import LOSS, Draws
from probe.impairment.loss import ElliottLoss, loss_model
from probe.impairment.profile import GilbertElliott, Loss
from tests.impairment.releases import bursts, fates


@pytest.mark.parametrize("ratio", [0.01, 0.1, 0.5])
def test_random_loss_is_binomial(ratio: float) -> None:
    packets = 200_000
    lost = fates(loss_model(Loss(ratio), 1), packets)
    assert lost.mean() == pytest.approx(ratio, abs=4 * sqrt(ratio * (1 - ratio) / packets))
    runs = bursts(lost)
    assert runs.mean() == pytest.approx(1 / (1 - ratio), abs=4 * runs.std() / sqrt(len(runs)))
    assert np.corrcoef(lost[1:], lost[:-1])[0, 1] == pytest.approx(0, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ratio", "burst"), [(0.02, 2.0), (0.10, 3.0), (0.30, 4.0), (0.50, 6.0), (0.7, 20.0)]
)
def test_bursty_loss_has_the_mean_the_burst_and_the_autocorrelation(ratio: float, burst: float) -> None:
    packets = 1_000_000
    p, r = Loss(ratio, burst).gilbert
    lost = fates(loss_model(Loss(ratio, burst), 2), packets)
    inflation = 1 + 2 * (1 - p - r) / (p + r)  # integrated autocorrelation time of the chain
    assert lost.mean() == pytest.approx(ratio, abs=4 * sqrt(ratio * (1 - ratio) * inflation / packets))
    runs = bursts(lost)
    assert runs.mean() == pytest.approx(burst, abs=4 * runs.std() / sqrt(len(runs)))
    # Simple Gilbert: ACF(1) = 1 - p - r
    assert np.corrcoef(lost[1:], lost[:-1])[0, 1] == pytest.approx(1 - p - r, abs=0.015)


def test_burst_lengths_are_geometric() -> None:
    runs = bursts(fates(loss_model(Loss(0.1, 3.0), 3), 1_000_000))
    seen = np.bincount(np.minimum(runs, 8), minlength=9)[1:]
    length = np.arange(1, 8)
    chance = np.append((1 / 3) * (2 / 3) ** (length - 1), (2 / 3) ** 7)
    expected = chance * len(runs)
    assert len(runs) > 5000
    assert ((seen - expected) ** 2 / expected).sum() < 24.3  # chi-square, 7 degrees of freedom, p = .001


def test_all_nothing_and_the_first_packet() -> None:
    assert fates(loss_model(Loss(1.0), 1), 5000).all()
    assert not fates(loss_model(Loss(0.0), 1), 5000).any()
    assert not fates(loss_model(None, 1), 5000).any()
    for seed in range(20):  # netem starts in the good state and lets it decide before the transition
        assert not fates(ElliottLoss(GilbertElliott(1.0, 0.5), seed), 1).any()
    assert fates(ElliottLoss(GilbertElliott(1.0, 0.0), 1), 5000).tolist() == [False] + [True] * 4999


def test_the_vectorised_chain_is_the_chain() -> None:
    for p, r in ((0.1, 0.7), (0.7, 0.1), (0.5, 0.5), (1.0, 1.0), (0.9, 0.8)):
        model, twin = ElliottLoss(GilbertElliott(p, r), 7), Draws(7, LOSS)
        bad = False
        for _ in range(2):
            expected = []
            for draw in twin.block().tolist():
                expected.append(bad)
                if draw <= round((r if bad else p) * (2**32 - 1)):
                    bad = not bad
            assert model.block().original.tolist() == expected
