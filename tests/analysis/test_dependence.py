"""What dependence costs: against processes whose dependence is known."""

from __future__ import annotations

import numpy as np
import pytest

from probe.analysis.delay import Floats
from probe.analysis.dependence import (
    autocorrelation,
    autoregressive_n,
    block_bootstrap,
    block_length,
    block_losses,
    effective_n,
    inflation_of,
    loss_interval,
)
from probe.analysis.intervals import wilson


def autoregression(n: int, rho: float, seed: int) -> Floats:
    noise = np.random.default_rng(seed).normal(size=n).tolist()
    values, value = np.empty(n), 0.0
    for i, step in enumerate(noise):
        values[i] = value = rho * value + step
    return values


@pytest.mark.parametrize(("rho", "cost"), [(0.9, 19), (0.99, 199)])
def test_effective_n_of_an_autoregression(rho: float, cost: float) -> None:
    """quality.md 4.2: n / 19 and n / 199."""
    n = 400_000
    assert n / autoregressive_n(n, rho) == pytest.approx(cost)
    assert n / effective_n(autoregression(n, rho, 1), 2000) == pytest.approx(cost, rel=0.15)


def test_independent_and_constant_values_count_fully() -> None:
    values = np.random.default_rng(2).normal(size=50_000)
    assert effective_n(values) == pytest.approx(50_000, rel=0.05)
    assert effective_n(np.ones(100)) == 100
    assert effective_n(np.array([1.0, 2.0])) == 2
    assert effective_n(np.tile([0.0, 1.0], 500)) == 1000


@pytest.mark.parametrize("n", [50, 70_000])
def test_autocorrelation_leaves_out_no_pair(n: int) -> None:
    values = autoregression(n, 0.8, 3)
    centred = values - values.mean()
    direct = [float(centred[: n - k] @ centred[k:]) / (n - k) for k in range(11)]
    np.testing.assert_allclose(
        autocorrelation(values, 10), np.array(direct) / direct[0], rtol=1e-9, atol=1e-9
    )


def test_bursts_widen_the_interval_of_a_loss() -> None:
    random = np.random.default_rng(4)
    single = random.random(100_000) < 0.02
    bursty = np.repeat(random.random(10_000) < 0.02, 10)
    plain, wide = loss_interval(single, 500), loss_interval(bursty, 500)
    assert plain is not None and wide is not None
    assert plain.inflation == pytest.approx(1, abs=0.25)
    assert wide.inflation == pytest.approx(10, rel=0.25)
    assert (plain.blocks, wide.blocks) == (200, 200)
    independent = wilson(int(bursty.sum()), 100_000)
    width = wide.interval.high - wide.interval.low
    assert width == pytest.approx((independent.high - independent.low) * np.sqrt(wide.inflation), rel=0.05)
    assert wide.interval.low < wide.ratio < wide.interval.high


def test_inflation_where_nothing_is_to_be_seen() -> None:
    assert inflation_of(np.array([3]), 10) == inflation_of(np.array([0, 0]), 10) == 1
    assert inflation_of(np.array([10, 10]), 10) == inflation_of(np.zeros(0, np.int64), 10) == 1
    assert inflation_of(np.array([0, 10]), 10) == pytest.approx(50 / 2.5)
    assert block_losses(np.array([True, False, True, True, True]), 2).tolist() == [1, 2]
    assert loss_interval(np.zeros(0, np.bool_), 5) is None
    clean = loss_interval(np.zeros(300, np.bool_), 50)
    assert clean is not None and clean.interval.low == 0 and clean.interval.high > 0.01


def test_block_length() -> None:
    """quality.md 4.2: a second, twice the decorrelation time, the cube root of n."""
    assert block_length(1000, 50, 0) == 50
    assert block_length(1000, 50, 40) == 80
    assert block_length(1_000_000, 50, 0) == 100


def means(runs: Floats) -> Floats:
    found: Floats = runs.mean(axis=1)
    return found


def test_the_bootstrap_covers_as_an_autoregression_demands() -> None:
    """Half width 1.96 sd / sqrt(effective n), sd of the process."""
    n, rho = 20_000, 0.9
    values = autoregression(n, rho, 5)
    found = block_bootstrap(values, means, 200, seed=6)
    assert found is not None
    expected = 1.96 * np.sqrt(1 / (1 - rho**2) / autoregressive_n(n, rho))
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.2)
    assert found.low < values.mean() < found.high
    assert found == block_bootstrap(values, means, 200, seed=6)
    assert found != block_bootstrap(values, means, 200, seed=7)


def test_the_bootstrap_takes_the_lost_as_infinite() -> None:
    values = np.where(np.arange(2000) % 25 == 0, np.inf, np.arange(2000) % 7)

    def p99(runs: Floats) -> Floats:
        found: Floats = np.sort(runs, axis=1)[:, -(-99 * runs.shape[1] // 100) - 1]
        return found

    found = block_bootstrap(values, p99, 50, seed=1, resamples=50)
    assert found is not None and found.high == np.inf


def test_too_few_blocks_to_resample() -> None:
    assert block_bootstrap(np.ones(999), means, 50, seed=1) is None
