"""Duplicates, damage, overtaking, and the loss models under duplication, against closed forms and the kernel."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from probe.impairment.draws import BLOCK
from probe.impairment.fates import Fates, Passes
from probe.impairment.link import Link
from probe.impairment.loss import loss_model
from probe.impairment.profile import Chance, FourState, GilbertElliott, Impairment, Loss, Reorder
from tests.impairment.releases import bursts, fates

MS = 1_000_000
N = 100_000


def copies(impairment: Impairment, seed: int = 1, packets: int = N) -> np.ndarray:
    """(packets,) how often each packet comes out."""
    link = Link(impairment, seed)
    passage = link.push(np.arange(packets, dtype=np.int64) * 20 * MS, np.full(packets, 200))
    counters = link.counters
    assert counters.offered + counters.duplicated == (
        counters.lost + counters.outage + counters.overflowed + counters.delivered
    )
    assert counters.delivered == len(passage.row)
    return np.bincount(passage.row, minlength=packets)


def passes(impairment: Impairment, packets: int, seed: int = 1) -> list[Passes]:
    source = Fates(impairment, seed)
    return [source.block() for _ in range(-(-packets // BLOCK))]


def chi_square(seen: list[float], expected: list[float]) -> float:
    return sum((a - b) ** 2 / b for a, b in zip(seen, expected, strict=True))


@pytest.mark.parametrize(("double", "lose"), [(0.01, 0.0), (0.2, 0.2), (0.5, 0.1)])
def test_a_packet_lost_and_doubled_is_one_packet(double: float, lose: float) -> None:
    # P(0) = L (1-D) + (1-L) D L (1-L)... the copy has a loss draw of its own: P(2) = D (1-L)^2
    times = copies(Impairment(loss=Loss(lose), duplicate=Chance(double)))
    none = lose * (1 - double)
    two = double * (1 - lose) ** 2
    one = 1 - none - two
    seen = np.bincount(times, minlength=3)
    expected = [N * none, N * one, N * two]
    pairs = [(float(a), b) for a, b in zip(seen, expected, strict=True) if b]
    assert seen.sum() == N
    assert chi_square([a for a, _ in pairs], [b for _, b in pairs]) < 13.8  # 2 degrees of freedom, p = .001


def test_copies_come_before_or_with_the_original_and_take_the_line_first() -> None:
    # kernel: 1000 B at 1 Mbit/s, doubled: 8.0 then 16.0 ms
    link = Link(Impairment(rate_bps=1_000_000, duplicate=Chance(1.0)), 1)
    passage = link.push(np.array([0, 100 * MS]), np.full(2, 958))
    assert passage.row.tolist() == [0, 0, 1, 1]
    assert passage.release_ns.tolist() == [8 * MS, 16 * MS, 108 * MS, 116 * MS]


def test_a_copy_has_draws_of_its_own() -> None:
    jittery = Impairment(100 * MS, 20 * MS, ordered=False, duplicate=Chance(1.0), corrupt=Chance(0.5))
    (block,) = passes(jittery, BLOCK)
    delay = block.delay_ns.reshape(-1, 2)
    assert abs(np.corrcoef(delay[:, 0], delay[:, 1])[0, 1]) < 0.06
    assert block.bit is not None
    damaged = (block.bit >= 0).reshape(-1, 2)
    assert abs((damaged[:, 0] & damaged[:, 1]).mean() - 0.25) < 0.03


@pytest.mark.parametrize(
    "model", [GilbertElliott(0.01, 0.1, 0.7, 0.001), Loss(0.3, 4), FourState(0.02, 0.3, 0.2, 0.4, 0.005)]
)
def test_copies_step_chains_as_packets_do(model: Loss | GilbertElliott | FourState) -> None:
    """All passes in their order (original, then its copy) are one run of the chain."""
    double = 0.4
    lost, doubled, gone = [], [], []
    twin = loss_model(model, 3)
    source = np.random.default_rng(1)
    for _ in range(60):
        twice = source.random(BLOCK) < double
        original, copy = twin.block(twice)
        lost.append(original)
        doubled.append(twice & ~original)
        gone.append(copy)
    original, ran, copy = np.concatenate(lost), np.concatenate(doubled), np.concatenate(gone)
    assert not (copy & ~ran).any()
    order = np.stack([np.ones_like(ran), ran], 1).ravel()
    sequence = np.stack([original, copy], 1).ravel()[order]
    runs = bursts(sequence)
    alone = fates(loss_model(model, 4), len(sequence))
    assert sequence.mean() == pytest.approx(alone.mean(), abs=0.012)
    assert runs.mean() == pytest.approx(bursts(alone).mean(), abs=5 * runs.std() / sqrt(len(runs)))


@pytest.mark.slow
def test_elliotts_chain_is_the_closed_form_and_the_kernel() -> None:
    # kernel: gemodel 1% 10% 70% .1%: loss .0653/.0659, burst 2.656, autocorrelation .597
    model = GilbertElliott(0.01, 0.1, 0.7, 0.001)
    assert (model.ratio, model.mean_burst, model.autocorrelation) == pytest.approx(
        (0.06455, 2.641, 0.595), abs=6e-4
    )
    assert model.inflation == pytest.approx(11.8, abs=0.05)
    lost = fates(loss_model(model, 1), 1_000_000)
    band = 4 * sqrt(model.ratio * (1 - model.ratio) * model.inflation / len(lost))
    assert lost.mean() == pytest.approx(model.ratio, abs=band)
    runs = bursts(lost)
    assert runs.mean() == pytest.approx(model.mean_burst, abs=4 * runs.std() / sqrt(len(runs)))
    for lag in (1, 2, 5):
        seen = np.corrcoef(lost[lag:], lost[:-lag])[0, 1]
        assert seen == pytest.approx(model.autocorrelation * 0.89 ** (lag - 1), abs=0.015)


@pytest.mark.slow
def test_four_states_are_the_closed_form_and_the_kernel() -> None:
    # kernel: state 2% 30% 20% 40% .5%: loss .0636/.0640, burst 1.888/1.870
    model = FourState(0.02, 0.30, 0.20, 0.40, 0.005)
    assert (model.ratio, model.mean_burst) == pytest.approx((0.06486, 1.870), abs=6e-4)
    lost = fates(loss_model(model, 1), 1_000_000)
    assert lost.mean() == pytest.approx(model.ratio, abs=0.003)
    runs = bursts(lost)
    assert runs.mean() == pytest.approx(model.mean_burst, abs=4 * runs.std() / sqrt(len(runs)))
    assert fates(loss_model(FourState(0.1), 1), N).mean() == pytest.approx(0.1, abs=0.004)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ratio", "correlation", "effective"), [(0.1, 0.25, 0.0175), (0.2, 0.5, 0.0294), (0.5, 0.5, 0.5)]
)
def test_netems_correlated_loss_is_not_what_was_asked_for(
    ratio: float, correlation: float, effective: float
) -> None:
    lost = fates(loss_model(Loss(ratio, correlation=correlation), 1), 400_000)
    assert lost.mean() == pytest.approx(effective, abs=0.0015 if effective < 0.1 else 0.006)


def test_damage_flips_one_bit_anywhere() -> None:
    link = Link(Impairment(corrupt=Chance(0.3)), 1)
    passage = link.push(np.arange(N, dtype=np.int64), np.full(N, 125))
    assert passage.bit is not None
    damaged = passage.bit >= 0
    assert damaged.mean() == pytest.approx(0.3, abs=4 * sqrt(0.21 / N))
    assert link.counters.corrupted == np.count_nonzero(damaged)
    seen = np.bincount(passage.bit[damaged] // 100, minlength=10)
    assert chi_square(seen.tolist(), [len(passage.bit[damaged]) / 10] * 10) < 27.9  # 9 degrees of freedom


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reorder", "share"),
    [
        (Reorder(1.0, 5), 0.2),
        (Reorder(0.25, 5), 0.125),
        (Reorder(0.25), 0.25),
        (Reorder(0.25, correlation=0.5), 0.067),
    ],
)
def test_as_many_overtake_as_in_the_kernel(reorder: Reorder, share: float) -> None:
    if not reorder.correlation:
        assert reorder.share == pytest.approx(share)
    link = Link(Impairment(50 * MS, reorder=reorder), 1)
    arrival = np.arange(N, dtype=np.int64) * MS
    passage = link.push(arrival, np.full(N, 100))
    at_once = passage.release_ns == arrival
    assert at_once.mean() == pytest.approx(share, abs=0.006)
    assert set((passage.release_ns - arrival)[~at_once].tolist()) == {50 * MS}
    assert link.counters.overtook == np.count_nonzero(at_once)
    if reorder.ratio == 1.0:
        assert set(np.diff(np.flatnonzero(at_once)).tolist()) == {5}
        assert at_once[4]


def test_correlated_duplicates_are_as_rare_as_correlated_losses() -> None:
    assert (copies(Impairment(duplicate=Chance(0.2, 0.5))) == 2).mean() == pytest.approx(0.0294, abs=0.003)


def test_one_impairment_moves_no_draw_of_another() -> None:
    plain = passes(Impairment(100 * MS, 20 * MS, loss=Loss(0.1, 3)), 3 * BLOCK)
    more = passes(
        Impairment(100 * MS, 20 * MS, loss=Loss(0.1, 3), corrupt=Chance(0.1), reorder=Reorder(0.1)), 3 * BLOCK
    )
    for first, second in zip(plain, more, strict=True):
        assert (first.packet == second.packet).all()
        assert second.overtakes is not None
        assert (first.delay_ns == second.delay_ns)[~second.overtakes].all()
