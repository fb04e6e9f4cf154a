"""Delay tables and draws against netem's shipped tables and closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from probe.impairment.delay import DelayLine, table
from probe.impairment.draws import BLOCK, DELAY, Draws
from probe.impairment.profile import Impairment, Table
from probe.metrics import Times

MS = 1_000_000


def delays(impairment: Impairment, packets: int = 100_000, seed: int = 5) -> Times:
    line, draws = DelayLine(impairment, seed), Draws(seed, DELAY)
    blocks = [line.delays(draws.block()) for _ in range(-(-packets // BLOCK))]
    return np.maximum(np.concatenate(blocks)[:packets], 0)


@pytest.mark.parametrize(
    ("name", "mean", "deviation", "lowest", "highest"),
    [  # moments of the tables in Debian's iproute2 6.1, in units of jitter
        ("normal", -0.0008, 1.0001, -4.000, 3.523),
        ("pareto", -0.0335, 0.820, -0.667, 4.000),
        ("paretonormal", -0.0253, 0.834, -1.50, 3.88),
    ],
)
def test_tables_have_the_moments_of_the_shipped_ones(
    name: str, mean: float, deviation: float, lowest: float, highest: float
) -> None:
    values = table(name) / 8192
    assert len(values) == 4096
    assert values.mean() == pytest.approx(mean, abs=6e-5)
    assert values.std() == pytest.approx(deviation, abs=6e-4)
    assert (values.min(), values.max()) == pytest.approx((lowest, highest), abs=4e-3)


def test_a_share_of_pareto_is_cut_at_four_sigma() -> None:
    assert (table("pareto") == 32767).mean() == pytest.approx(0.0107, abs=1e-4)


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(ValueError, match="gamma"):
        table("gamma")


@pytest.mark.parametrize(
    ("distribution", "mean", "deviation"),
    [  # delay 100 ms, jitter 20 ms, measured in a kernel (100 000 packets in simulated time) or closed form
        ("normal", 99.97, 19.98),
        ("uniform", 100.0, 20 / 3**0.5),
        ("pareto", 99.34, 16.41),
    ],
)
def test_delay_has_mean_and_spread_of_the_kernel(distribution: str, mean: float, deviation: float) -> None:
    sample = delays(Impairment(100 * MS, 20 * MS, distribution=distribution)) / MS  # type: ignore[arg-type]
    assert sample.mean() == pytest.approx(mean, abs=0.3)
    assert sample.std() == pytest.approx(deviation, rel=0.015)
    assert np.corrcoef(sample[1:], sample[:-1])[0, 1] == pytest.approx(0, abs=0.013)


def test_uniform_is_a_half_width() -> None:
    sample = delays(Impairment(100 * MS, 20 * MS, distribution="uniform"))
    assert 80 * MS <= sample.min() < 80.01 * MS
    assert 119.99 * MS < sample.max() < 120 * MS


def test_a_negative_draw_is_sent_at_once() -> None:
    # delay 10ms 50ms without table: P(0) = .4, mean 18.0 ms
    sample = delays(Impairment(10 * MS, 50 * MS, distribution="uniform"))
    assert (sample == 0).mean() == pytest.approx(0.4, abs=0.007)
    assert sample.mean() / MS == pytest.approx(18.0, abs=0.3)


def test_the_shortest_delay_is_a_bound_that_is_nearly_met() -> None:
    line = DelayLine(Impairment(100 * MS, 20 * MS), 1)
    assert line.min_ns == 20 * MS  # four sigma
    assert delays(Impairment(100 * MS, 20 * MS)).min() < 25 * MS
    assert DelayLine(Impairment(10 * MS, 20 * MS), 1).min_ns == 0
    assert DelayLine(Impairment(30 * MS, 20 * MS, distribution="uniform"), 1).min_ns == 10 * MS


@pytest.mark.parametrize("distribution", ["uniform", "normal", "pareto", "paretonormal"])
def test_few_draws_are_smaller_than_the_likely_delay(distribution: str) -> None:
    impairment = Impairment(100 * MS, 20 * MS, distribution=distribution)  # type: ignore[arg-type]
    likely_ns = DelayLine(impairment, 1).likely_ns
    sample = delays(impairment, 1_000_000)
    assert (sample < likely_ns).mean() == pytest.approx(0.001, abs=0.0002)
    assert DelayLine(Impairment(30 * MS), 1).likely_ns == 30 * MS


def test_jitter_moves_no_loss_and_the_other_way_round() -> None:
    assert (delays(Impairment(50 * MS)) == 50 * MS).all()
    with_normal = delays(Impairment(0, 1 * MS), 4096)
    with_longer = delays(Impairment(100 * MS, 1 * MS), 4096)
    assert (np.maximum(with_longer - 100 * MS, 0) == with_normal).all()


@pytest.mark.slow
@pytest.mark.parametrize("distribution", ["normal", "uniform", "pareto", "paretonormal"])
def test_correlated_jitter_is_correlated_and_keeps_its_shape(distribution: str) -> None:
    plain = Impairment(100 * MS, 20 * MS, distribution=distribution)  # type: ignore[arg-type]
    walking = replace(plain, jitter_correlation=0.8)
    independent, sample = delays(plain, 400_000) / MS, delays(walking, 400_000) / MS
    assert sample.mean() == pytest.approx(independent.mean(), abs=0.4)
    assert sample.std() == pytest.approx(independent.std(), rel=0.03)
    quantiles = np.linspace(0.02, 0.98, 25)
    assert np.quantile(sample, quantiles) == pytest.approx(np.quantile(independent, quantiles), abs=0.9)
    rank = sample.argsort().argsort()
    for lag in (1, 3):  # rank correlation of a Gaussian sequence with coefficient 0.8^lag
        seen = np.corrcoef(rank[lag:], rank[:-lag])[0, 1]
        assert seen == pytest.approx(6 / np.pi * np.arcsin(0.8**lag / 2), abs=0.02)


def test_netems_correlation_of_delays_has_no_effect() -> None:
    # kernel, 50 %: autocorrelation .009 (uniform), -.0006 (normal)
    for distribution in ("uniform", "normal"):
        impairment = Impairment(100 * MS, 20 * MS, distribution=distribution, delay_correlation=0.5)
        sample = delays(impairment)
        assert np.corrcoef(sample[1:], sample[:-1])[0, 1] == pytest.approx(0, abs=0.013)
        assert sample.mean() / MS == pytest.approx(100, abs=0.3)


def test_a_table_of_ones_own() -> None:
    mine = Table("mine", (-8192, 0, 0, 16384))
    values, counts = np.unique(delays(Impairment(100 * MS, 10 * MS, mine)), return_counts=True)
    assert values.tolist() == [90 * MS, 100 * MS, 120 * MS]
    assert counts / 100_000 == pytest.approx([0.25, 0.5, 0.25], abs=0.006)
