"""Measure, fit, replay: what a fitted network does to packets is what was measured, within sampling error."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from probe.analysis.fit import fit_direction
from probe.analysis.loss_pattern import LossPattern, loss_pattern
from probe.analysis.series import Series, make_series
from probe.analysis.series_delay import pdv_population
from probe.impairment.link import Link
from probe.impairment.profile import Impairment, Loss, NetworkProfile
from probe.metrics import NEVER
from probe.plan.library import load_network
from probe.plan.network_text import network_yaml
from tests.analysis.made import MS
from tests.analysis.traces import trace

PACKETS = 60_000


def through(impairment: Impairment, seed: int, packets: int = PACKETS) -> Series:
    """20 minutes of voice in virtual time."""
    sent = np.arange(packets) * 20 * MS
    passage = Link(impairment, seed).push(sent, np.full(packets, 172))
    first = passage.first(packets)
    return make_series(np.arange(packets), sent, np.where(first < 0, NEVER, first), interval_ns=20 * MS)


def replayed(series: Series, folder: Path, floor_ns: int = 0, seed: int = 9) -> Series:
    """Through the profile's own file, as a user would."""
    fitted = fit_direction([series], floor_ns)
    path = folder / "measured.yaml"
    path.write_text(network_yaml(NetworkProfile("measured", "Measured", fitted, fitted, "a test")))
    network = load_network(str(path))
    assert network.up.loss == fitted.loss or fitted.loss is not None
    return through(network.up, seed)


def tolerance(pattern: LossPattern) -> tuple[float, float]:
    """Four standard errors of a Gilbert chain's loss ratio and mean burst (netem.md 1.3), two samples apart."""
    ratio, burst = len(pattern.lost) / pattern.packets, pattern.mean_run or 1.0
    memory = 1 - 1 / burst - ratio / (burst * (1 - ratio))
    spread = ratio * (1 - ratio) * (1 + memory) / (1 - memory) / pattern.packets
    run_spread = burst * max(0.0, burst - 1) / pattern.count
    return 4 * math.sqrt(2 * spread), 4 * math.sqrt(2 * run_spread) + 1e-9


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(Loss(0.10, 3), id="10 % in runs of 3"),
        pytest.param(Loss(0.02, 8), id="2 % in runs of 8"),
        pytest.param(Loss(0.30, 1.6), id="30 % in runs of 1.6"),
        pytest.param(Loss(0.05), id="5 % on their own"),
    ],
)
def test_loss_and_bursts_come_back_within_sampling_error(loss: Loss, tmp_path: Path) -> None:
    measured = through(Impairment(delay_ns=40 * MS, loss=loss), 1)
    again = replayed(measured, tmp_path)
    one, two = loss_pattern(measured.lost), loss_pattern(again.lost)
    ratio, run = tolerance(one)
    assert len(two.lost) / two.packets == pytest.approx(len(one.lost) / one.packets, abs=ratio)
    assert two.mean_run == pytest.approx(one.mean_run, abs=max(run, 0.05))


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(Impairment(delay_ns=80 * MS, jitter_ns=10 * MS, distribution="pareto"), id="pareto"),
        pytest.param(
            Impairment(delay_ns=80 * MS, jitter_ns=15 * MS, jitter_correlation=0.9, distribution="normal"),
            id="slow waves",
        ),
        pytest.param(
            Impairment(delay_ns=80 * MS, jitter_ns=20 * MS, ordered=False, distribution="uniform"),
            id="overtaking",
        ),
    ],
)
def test_the_delays_come_back(shape: Impairment, tmp_path: Path) -> None:
    measured = through(shape, 1)
    assert measured.least_ns is not None
    again = replayed(measured, tmp_path, measured.least_ns)
    for level in (500, 900, 950, 990):
        one, two = (pdv_population(series).percentile(level) for series in (measured, again))
        assert two == pytest.approx(one, abs=2.5, rel=0.06), level
    assert again.least_ns == pytest.approx(measured.least_ns, abs=5 * MS)
    assert fit_direction([again]).ordered == shape.ordered


def test_neighbours_keep_their_correlation() -> None:
    shape = Impairment(delay_ns=80 * MS, jitter_ns=5 * MS, jitter_correlation=0.8, ordered=False)
    assert fit_direction([through(shape, 1)]).jitter_correlation == pytest.approx(0.8, abs=0.02)
    alone = Impairment(delay_ns=80 * MS, jitter_ns=5 * MS, ordered=False)
    assert fit_direction([through(alone, 1)]).jitter_correlation == 0


def test_a_steady_path_has_no_jitter_and_no_loss() -> None:
    assert fit_direction([trace([50, 50, 50])], 30 * MS) == Impairment(delay_ns=30 * MS)


def test_what_lost_everything_has_no_delay() -> None:
    assert fit_direction([trace([None, None])]) == Impairment(loss=Loss(1.0))


def test_streams_are_pooled_and_not_joined() -> None:
    """The end of one stream and the beginning of the next are no burst."""
    fitted = fit_direction([trace([50, 50, 50, None]), trace([None, 50, 50, 50])])
    assert fitted.loss == Loss(0.25)
