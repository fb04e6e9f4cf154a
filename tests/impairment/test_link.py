"""A link: order of operations, queue, batching, counters; netem's measured numbers as oracle."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from probe.impairment.course import Delivery, Outage, Step, Timeline
from probe.impairment.link import DROPPED, Link
from probe.impairment.passage import joined
from probe.impairment.profile import (
    Chance,
    FourState,
    GilbertElliott,
    Impairment,
    Loss,
    Reorder,
    Slot,
    Table,
)
from probe.metrics import Times
from tests.impairment.releases import release_of, reordered_ratio

MS = 1_000_000
L2 = 42


def every(interval_ns: int, packets: int) -> Times:
    return np.arange(packets, dtype=np.int64) * interval_ns


def sized(layer_2_bytes: int, packets: int) -> NDArray[np.int64]:
    return np.full(packets, layer_2_bytes - L2)


def test_nothing_set_nothing_done() -> None:
    arrival = every(MS, 100)
    assert (release_of(Link(Impairment(), 1), arrival, sized(200, 100)) == arrival).all()


def test_serial_line_times_are_exact() -> None:
    # 1000 B at 1 Mbit/s take 8 ms: alone at once, in a row one after the other
    link = Link(Impairment(delay_ns=50 * MS, rate_bps=1_000_000), 1)
    release = release_of(link, np.array([0, 0, 1 * MS, 100 * MS]), sized(1000, 4))
    assert release.tolist() == [58 * MS, 66 * MS, 74 * MS, 158 * MS]
    # kernel: a 100-byte payload with `rate 1mbit overhead -14` takes (100 + 28) * 8 us
    bare = Link(Impairment(rate_bps=1_000_000, overhead_bytes=28), 1)
    assert release_of(bare, np.array([0]), np.array([100])).tolist() == [1_024_000]


def test_overload_loses_and_delays_as_measured_in_the_kernel() -> None:
    # `rate 1mbit limit 50`, 1000 B every 5 ms: 50 packets in the queue, one of them on the line, is a
    # wait of 392 ms. Kernel: loss .3726, delay mean 395.9 sd 23.0; the model: mean 395.96.
    packets = 20_000
    link = Link(Impairment(rate_bps=1_000_000, queue_ns=392 * MS), 1)
    arrival = every(5 * MS, packets)
    release = release_of(link, arrival, sized(1000, packets))
    passed = release != DROPPED
    delay = (release - arrival)[passed] / MS
    assert 1 - passed.mean() == pytest.approx(0.3726, abs=1e-4)
    assert delay.mean() == pytest.approx(395.96, abs=0.01)
    assert delay.std() == pytest.approx(23.0, abs=0.05)
    assert delay.max() <= 400
    assert (np.diff(release[passed]) >= 8 * MS).all()
    counters = link.counters
    assert (counters.offered, counters.lost) == (packets, 0)
    assert counters.overflowed == np.count_nonzero(~passed)


def test_a_queue_of_nothing_takes_what_finds_the_line_idle() -> None:
    link = Link(Impairment(rate_bps=1_000_000, queue_ns=0), 1)
    release = release_of(link, np.array([0, 7 * MS, 8 * MS, 9 * MS]), sized(1000, 4))
    assert release.tolist() == [8 * MS, DROPPED, 16 * MS, DROPPED]


def test_ordered_jitter_never_reorders_and_shifts_the_delay_as_netem_with_a_rate() -> None:
    packets = 50_000
    impairment = Impairment(100 * MS, 20 * MS)
    # mean, sd and lag-1 autocorrelation of the delay at 50, 100 and 1000 packets a second
    for interval, mean, deviation, lag in (
        (20, 104.5, 16.9, 0.30),
        (10, 109.9, 14.9, 0.53),
        (1, 130.0, 10.3, 0.92),
    ):
        arrival = every(interval * MS, packets)
        release = release_of(Link(impairment, 1), arrival, sized(200, packets))
        delay = (release - arrival) / MS
        assert (np.diff(release) >= 0).all()
        assert delay.mean() == pytest.approx(mean, abs=1.0)
        assert delay.std() == pytest.approx(deviation, abs=0.6)
        assert np.corrcoef(delay[1:], delay[:-1])[0, 1] == pytest.approx(lag, abs=0.03)


def test_jitter_with_a_rate_is_the_measured_one() -> None:
    # kernel: `delay 50ms 20ms rate 100mbit` (uniform) at 500 packets/s: mean 60.42 sd 5.19 lag-1 .685
    packets = 50_000
    arrival = every(2 * MS, packets)
    impairment = Impairment(50 * MS, 20 * MS, distribution="uniform", rate_bps=100_000_000)
    delay = (release_of(Link(impairment, 1), arrival, sized(200, packets)) - arrival) / MS
    assert delay.mean() == pytest.approx(60.45, abs=0.3)
    assert delay.std() == pytest.approx(5.17, abs=0.2)
    assert np.corrcoef(delay[1:], delay[:-1])[0, 1] == pytest.approx(0.685, abs=0.03)


@pytest.mark.parametrize(
    ("distribution", "interval_ms", "ratio"),
    [
        ("normal", 20, 0.276),
        ("normal", 10, 0.494),
        ("normal", 1, 0.904),
        ("uniform", 20, 0.125),
        ("uniform", 2, 0.71),
    ],
)
def test_unordered_jitter_reorders_as_netem_without_a_rate(
    distribution: str, interval_ms: int, ratio: float
) -> None:
    packets = 100_000
    impairment = Impairment(100 * MS, 20 * MS, distribution=distribution, ordered=False)  # type: ignore[arg-type]
    release = release_of(Link(impairment, 1), every(interval_ms * MS, packets), sized(200, packets))
    assert reordered_ratio(release) == pytest.approx(ratio, abs=0.01)


def test_a_lost_packet_takes_no_place_on_the_line() -> None:
    lossy = Link(Impairment(loss=Loss(0.5), rate_bps=1_000_000), 3)
    release = release_of(lossy, np.zeros(1000, np.int64), sized(1000, 1000))
    passed = release[release != DROPPED]
    assert passed.tolist() == [8 * MS * (row + 1) for row in range(len(passed))]


def test_counters_add_up() -> None:
    link = Link(Impairment(5 * MS, 2 * MS, loss=Loss(0.2, 2), rate_bps=1_000_000, queue_ns=50 * MS), 9)
    size = np.random.default_rng(1).integers(20, 1200, 5000)
    release = np.concatenate(
        [release_of(link, every(3 * MS, 5000)[rows], size[rows]) for rows in (slice(0, 3), slice(3, 5000))]
    )
    counters = link.counters
    passed = release != DROPPED
    assert counters.offered == 5000
    assert counters.offered == counters.lost + counters.overflowed + counters.delivered
    assert counters.delivered == np.count_nonzero(passed)
    assert counters.offered_bytes == size.sum()
    assert counters.delivered_bytes == size[passed].sum()
    assert counters.overflowed > 0


def in_steps(*, loop: bool) -> Impairment:
    steps = (
        Step(300 * MS, Impairment(20 * MS, rate_bps=900_000, queue_ns=200 * MS, loss=Loss(0.2, 3))),
        Step(700 * MS, Impairment(40 * MS, 10 * MS, duplicate=Chance(0.2))),
        Step(90 * MS, Impairment(), "hold"),
        Step(150 * MS, Impairment(), "drop"),
        Step(900 * MS, Impairment(rate_bps=200_000, limit_packets=20)),
    )
    return Impairment(timeline=Timeline(steps, loop))


anything = st.builds(
    Impairment,
    delay_ns=st.sampled_from([5 * MS, 20 * MS]),
    jitter_ns=st.sampled_from([0, 15 * MS]),
    distribution=st.sampled_from(["normal", "uniform", "pareto", Table("mine", (-9000, 0, 500, 9000))]),
    loss=st.sampled_from(
        [
            None,
            Loss(0.3),
            Loss(0.2, 4),
            Loss(0.3, correlation=0.3),
            GilbertElliott(0.1, 0.3, 0.8, 0.01),
            FourState(0.1, 0.3, 0.2, 0.4, 0.05),
        ]
    ),
    rate_bps=st.sampled_from([None, 300_000]),
    limit_packets=st.sampled_from([None, 30]),
    duplicate=st.sampled_from([None, Chance(0.3), Chance(0.3, 0.2)]),
    corrupt=st.sampled_from([None, Chance(0.3)]),
    reorder=st.sampled_from([None, Reorder(0.2), Reorder(0.5, 4, 0.1)]),
    slot=st.sampled_from([None, Slot(5 * MS, 20 * MS, packets=3)]),
)
varying = st.builds(
    Impairment,
    delay_ns=st.just(10 * MS),
    jitter_ns=st.sampled_from([0, 15 * MS]),
    jitter_correlation=st.just(0.0),
    rate_bps=st.sampled_from([None, 500_000]),
    outages=st.just(
        (
            Outage("hold", (300 * MS, 900 * MS), (20 * MS, 200 * MS)),
            Outage("drop", (300 * MS, 900 * MS), (20 * MS, 200 * MS)),
        )
    ),
)
impairments = (
    st.builds(
        Impairment,
        delay_ns=st.sampled_from([0, 20 * MS]),
        jitter_ns=st.just(15 * MS),
        distribution=st.sampled_from(["normal", "uniform", "pareto"]),
        jitter_correlation=st.sampled_from([0.0, 0.9]),
        loss=st.sampled_from([None, Loss(0.3), Loss(0.2, 4)]),
        rate_bps=st.sampled_from([None, 300_000]),
    )
    | st.builds(
        Impairment,
        jitter_ns=st.sampled_from([0, 15 * MS]),
        loss=st.sampled_from([None, Loss(0.1, 2)]),
        rate_bps=st.just(400_000),
        queue_ns=st.sampled_from([0, 30 * MS, 500 * MS]),
    )
    | st.builds(Impairment, delay_ns=st.just(10 * MS), jitter_ns=st.just(15 * MS), ordered=st.just(False))
    | anything
    | varying
    | st.sampled_from([in_steps(loop=True), in_steps(loop=False)])
    | st.just(Impairment(MS, delivery=Delivery("x", (3, 9, 9, 30, 80)), queue_ns=300 * MS))
)


@pytest.mark.slow
@settings(deadline=None, max_examples=120)
@given(
    impairment=impairments,
    seed=st.integers(0, 2**63),
    cuts=st.lists(st.integers(0, 4200), max_size=12),
    data=st.integers(0, 99),
)
def test_any_split_into_batches_gives_the_same(
    impairment: Impairment, seed: int, cuts: list[int], data: int
) -> None:
    source = np.random.default_rng(data)
    arrival = np.cumsum(source.integers(0, 8 * MS, 4200))
    size = source.integers(1, 1200, 4200)
    whole, split = Link(impairment, seed), Link(impairment, seed)
    expected = whole.push(arrival, size)
    found = joined([(a, split.push(arrival[a:b], size[a:b])) for a, b in pairwise([0, *sorted(cuts), 4200])])
    assert found.row.tolist() == expected.row.tolist()
    assert found.release_ns.tolist() == expected.release_ns.tolist()
    assert (found.bit is None) == (expected.bit is None)
    if found.bit is not None and expected.bit is not None:
        assert found.bit.tolist() == expected.bit.tolist()
    assert split.counters == whole.counters
    counters = whole.counters
    assert counters.offered + counters.duplicated == (
        counters.lost + counters.outage + counters.overflowed + counters.delivered
    )


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(impairment=impairments, seed=st.integers(0, 2**31))
def test_the_earliest_release_is_a_lower_bound(impairment: Impairment, seed: int) -> None:
    link = Link(impairment, seed)
    arrival = np.cumsum(np.random.default_rng(seed).integers(0, 8 * MS, 300))
    for when in arrival.tolist():
        bound = link.earliest_release(when)
        assert bound >= when + link.min_delay_ns
        passage = link.push(np.array([when]), np.array([0]))
        assert (passage.release_ns >= bound).all()
        assert impairment.overtaking or (passage.release_ns[1:] >= passage.release_ns[:-1]).all()


def test_the_same_seed_is_the_same_network_and_another_is_not() -> None:
    impairment = Impairment(20 * MS, 5 * MS, loss=Loss(0.1, 3))
    arrival, size = every(MS, 2000), sized(200, 2000)
    first, again, other = (release_of(Link(impairment, seed), arrival, size) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
