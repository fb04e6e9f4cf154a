"""Delay tables and draws against netem's shipped tables and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from probe.impairment.delay import DelayLine, table
from probe.impairment.draws import BLOCK
from probe.impairment.profile import Impairment
from probe.metrics import Times

MS = 1_000_000


def delays(impairment: Impairment, packets: int = 100_000, seed: int = 5) -> Times:
    line = DelayLine(impairment, seed)
    return np.concatenate([line.block() for _ in range(-(-packets // BLOCK))])[:packets]


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


def test_jitter_moves_no_loss_and_the_other_way_round() -> None:
    assert (delays(Impairment(50 * MS)) == 50 * MS).all()
    with_normal = delays(Impairment(0, 1 * MS), 4096)
    with_longer = delays(Impairment(100 * MS, 1 * MS), 4096)
    assert (np.maximum(with_longer - 100 * MS, 0) == with_normal).all()
