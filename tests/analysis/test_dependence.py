"""What dependence costs: against processes whose dependence is known."""

from __future__ import annotations

import numpy as np
import pytest

from probe.analysis.delay import Floats
from probe.analysis.dependence import (
    RunInterval,
    autocorrelation,
    autoregressive_n,
    block_bootstrap,
    block_length,
    effective_n,
    loss_interval,
    percentile_intervals,
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
    assert plain.n_eff == pytest.approx(100_000, rel=0.25)
    assert wide.n_eff == pytest.approx(10_000, rel=0.25)
    independent = wilson(bursty.mean() * wide.n_eff, wide.n_eff)
    assert (wide.low, wide.high) == pytest.approx((independent.low, independent.high), rel=0.02)
    assert wide.low < bursty.mean() < wide.high


def test_no_loss_is_no_proof_that_there_is_none() -> None:
    clean = loss_interval(np.zeros(300, np.bool_), 50)
    assert clean is not None and clean.low == 0 and clean.high > 0.01
    assert loss_interval(np.zeros(0, np.bool_), 5) is None
    assert loss_interval(np.zeros(20, np.bool_), 5) is None


def percentile(values: Floats, per_mille: int, block: int) -> RunInterval:
    finite = np.sort(values[np.isfinite(values)])
    found = percentile_intervals(values, finite, [per_mille], block)
    assert found is not None
    return found[0]


def test_a_percentile_of_independent_values_is_enclosed_by_order_statistics() -> None:
    """quality.md T43: p95 of 1000 lies between the 936th and the 964th value; blocks of chance add little."""
    values = np.random.default_rng(9).permutation(np.arange(1.0, 1001.0))
    found = percentile(values, 950, 20)
    assert found.n_eff == pytest.approx(1000, rel=0.2)
    assert found.low == pytest.approx(936, abs=4)
    assert found.high == pytest.approx(964, abs=4)


def test_alike_neighbours_widen_the_interval_of_a_percentile() -> None:
    """Each value fifty times: no more is known than of the values once."""
    once = np.random.default_rng(10).gamma(2, 10, 2000)
    alone, alike = percentile(once, 950, 10), percentile(np.repeat(once, 50), 950, 500)
    assert alike.n_eff == pytest.approx(2000, rel=0.25)
    assert (alike.low, alike.high) == pytest.approx((alone.low, alone.high), rel=0.05)


@pytest.mark.parametrize(
    ("lost", "infinite"), [(0, (False, False)), (50, (False, True)), (100, (True, True))]
)
def test_an_end_among_the_lost_is_infinite(lost: int, infinite: tuple[bool, bool]) -> None:
    """5 % lost: p95 may be the largest that arrived, or there may be none."""
    values = np.where(np.arange(1000) < lost, np.inf, np.arange(1000.0))
    values = np.random.default_rng(12).permutation(values)
    found = percentile(values, 950, 20)
    assert (found.low == np.inf, found.high == np.inf) == infinite
    assert percentile_intervals(np.full(100, np.inf), np.zeros(0), [500], 10) is None
    assert percentile_intervals(values, values, [500], 500) is None


def test_block_length() -> None:
    """quality.md 4.2: a second, twice the decorrelation time, the cube root of n."""
    assert block_length(1000, 50, 0) == 50
    assert block_length(1000, 50, 40) == 80
    assert block_length(1_000_000, 50, 0) == 100


def means(runs: Floats) -> Floats:
    found: Floats = runs.mean(axis=1)
    return found


@pytest.mark.slow
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
