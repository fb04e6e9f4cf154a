"""The line's formulas against netem's queue run an event at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from probe.impairment.draws import SLOT, Draws
from probe.impairment.events import Slot
from probe.impairment.line import DROPPED, Line
from probe.impairment.profile import Impairment
from probe.impairment.slots import SlotGate
from probe.metrics import Times
from tests.impairment.event_queue import Netem, Packet

MS = 1_000_000


def kernel(
    netem: Netem,
    arrival: Times,
    delay: Times,
    length: NDArray[np.int64],
    jumps: NDArray[np.bool_] | None = None,
) -> list[int]:
    packets = [
        Packet(number, int(when), int(wait), int(size), bool(jumps is not None and jumps[number]))
        for number, (when, wait, size) in enumerate(zip(arrival, delay, length, strict=True))
    ]
    netem.run(packets)
    return [DROPPED if packet.left is None else packet.left for packet in packets]


def traffic(seed: int, packets: int = 400) -> tuple[Times, NDArray[np.int64], np.random.Generator]:
    source = np.random.default_rng(seed)
    return np.cumsum(source.integers(1, 6 * MS, packets)), source.integers(20, 1500, packets), source


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    rate=st.sampled_from([None, 8_000_000, 1_000_000, 200_000]),
    limit=st.sampled_from([None, 3, 20]),
    low=st.sampled_from([0, -30 * MS]),
    jumping=st.booleans(),
    together=st.booleans(),
)
@example(seed=1115978, rate=None, limit=3, low=-30 * MS, jumping=False, together=False)
def test_it_is_the_kernels_queue(
    seed: int, rate: int | None, limit: int | None, low: int, jumping: bool, together: bool
) -> None:
    arrival, size, source = traffic(seed)
    if together:
        arrival = arrival // (20 * MS) * 20 * MS
    delay = source.integers(low, 50 * MS, len(arrival))
    jumps = source.random(len(arrival)) < 0.2 if jumping else None
    # Without a rate netem reorders; an ordered line without one is its line at a speed without end.
    impairment = Impairment(50 * MS, ordered=rate is not None, rate_bps=rate, limit_packets=limit)
    line = Line(impairment)
    service = line.terms.service(size)
    found = np.concatenate(
        [
            line.push(arrival[a:b], delay[a:b], service[a:b], None if jumps is None else jumps[a:b])
            for a, b in ((0, 1), (1, 30), (30, len(arrival)))
        ]
    )
    netem = Netem(rate, limit or 2**62)
    assert found.tolist() == kernel(netem, arrival, delay, size + 42, jumps)


def test_an_ordered_line_without_a_rate_is_netem_at_an_endless_rate() -> None:
    arrival, size, source = traffic(3)
    delay = source.integers(-20 * MS, 50 * MS, len(arrival))
    found = Line(Impairment(50 * MS)).push(arrival, delay, np.zeros(len(arrival), np.int64))
    assert found.tolist() == kernel(Netem(10**15), arrival, delay, size)


@pytest.mark.parametrize(
    ("cell", "overhead", "length", "service_us"),
    [(48, 5, 142, 1272), (48, 5, 144, 1272), (48, 5, 145, 1696), (0, 0, 142, 1136)],
)
def test_cells_are_filled_up(cell: int, overhead: int, length: int, service_us: int) -> None:
    # kernel: 142 bytes in cells of 48 + 5 are 3 cells, 159 bytes, 1.272 ms at 1 Mbit/s
    line = Line(Impairment(rate_bps=1_000_000, cell_bytes=cell, cell_overhead_bytes=overhead))
    assert line.terms.service(np.array([length - 42])).tolist() == [service_us * 1000]


def test_a_small_limit_drops_what_the_delay_line_holds_too_much() -> None:
    # kernel: `delay 100ms limit 50` at 1000 packets/s loses 50.4 %
    arrival = np.arange(20_000, dtype=np.int64) * MS
    line = Line(Impairment(100 * MS, limit_packets=50))
    found = line.push(arrival, np.full(len(arrival), 100 * MS), np.zeros(len(arrival), np.int64))
    assert (found == DROPPED).mean() == pytest.approx(0.5, abs=0.005)


def test_netems_own_limit_under_overload() -> None:
    # kernel: `rate 1mbit limit 50`, 1000 B every 5 ms: loss .3726, delay mean 395.9 sd 23.0
    packets = 20_000
    arrival = np.arange(packets, dtype=np.int64) * 5 * MS
    line = Line(Impairment(rate_bps=1_000_000, limit_packets=50))
    service = line.terms.service(np.full(packets, 958))
    found = line.push(arrival, np.zeros(packets, np.int64), service)
    passed = found != DROPPED
    delay = (found - arrival)[passed] / MS
    assert 1 - passed.mean() == pytest.approx(0.3726, abs=2e-4)
    assert delay.mean() == pytest.approx(395.96, abs=0.1)
    assert delay.std() == pytest.approx(23.0, abs=0.1)


def slot_lengths(slot: Slot, seed: int) -> list[int]:
    gate = SlotGate(slot, seed)
    return [gate._length() for _ in range(3000)]


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    slot=st.sampled_from(
        [
            Slot(20 * MS, 40 * MS),
            Slot(20 * MS, 20 * MS, packets=5),
            Slot(5 * MS, 30 * MS, bytes=3000),
            Slot(10 * MS, 10 * MS, jitter_ns=2 * MS, distribution="pareto", packets=3, bytes=4000),
            Slot(10 * MS, 10 * MS, jitter_ns=2 * MS, distribution="uniform"),
        ]
    ),
    cut=st.integers(0, 400),
)
def test_slots_are_the_kernels(seed: int, slot: Slot, cut: int) -> None:
    arrival, size, _ = traffic(seed)
    lengths = iter(slot_lengths(slot, seed))
    netem = Netem(slot=lambda: next(lengths), slot_packets=slot.packets, slot_bytes=slot.bytes)
    gate = SlotGate(slot, seed)
    parts = [gate.push(arrival[:cut], size[:cut]), gate.push(arrival[cut:], size[cut:])]
    assert np.concatenate(parts).tolist() == kernel(netem, arrival, np.zeros_like(arrival), size)


def test_slots_measured_in_the_kernel() -> None:
    # sparse traffic waits a whole draw of 20-40 ms: mean 30.1, sd 5.75
    arrival = np.arange(5000, dtype=np.int64) * 100 * MS
    wait = (SlotGate(Slot(20 * MS, 40 * MS), 1).push(arrival, np.full(5000, 142)) - arrival) / MS
    assert wait.mean() == pytest.approx(30.0, abs=0.4)
    assert wait.std() == pytest.approx(5.77, abs=0.15)
    # dense traffic, 500 packets/s: the next packet comes 1 ms after a slot on average and draws 30 ms
    arrival = np.arange(50_000, dtype=np.int64) * 2 * MS
    release = SlotGate(Slot(20 * MS, 40 * MS), 2).push(arrival, np.full(50_000, 142))
    openings = np.unique(release)
    assert np.diff(openings).mean() / MS == pytest.approx(31.0, abs=0.5)
    assert len(release) / len(openings) == pytest.approx(15.5, abs=0.3)
    assert (release - arrival).mean() / MS == pytest.approx(16.0, abs=0.5)
    # slot 20ms packets 5: exactly five each 20 ms
    release = SlotGate(Slot(20 * MS, 20 * MS, packets=5), 3).push(arrival[:1000], np.full(1000, 142))
    counts = np.unique(release, return_counts=True)[1]
    assert set(counts[1:-1].tolist()) == {5}
    assert set(np.diff(np.unique(release)).tolist()) == {20 * MS}


def test_draws_of_slots_are_by_number() -> None:
    assert slot_lengths(Slot(0, 2**20), 4)[:5] == [
        draw * 2**20 >> 32 for draw in Draws(4, SLOT).block().tolist()[:5]
    ]
