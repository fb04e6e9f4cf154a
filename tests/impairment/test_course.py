"""Time lines, outages and recorded deliveries."""

from __future__ import annotations

import numpy as np
import pytest

from probe.impairment.capacity import BOUNDLESS_BPS, UNITS, Constant, Deliveries, Held, Stepwise
from probe.impairment.chain import Path
from probe.impairment.course import Delivery, Outage, Step, Timeline
from probe.impairment.link import DROPPED, Link
from probe.impairment.outages import OutageTimes
from probe.impairment.profile import Impairment, Loss
from tests.impairment.releases import release_of

MS = 1_000_000
SECOND = 1000 * MS


def at(*milliseconds: float) -> np.ndarray:
    return np.array([int(value * MS) for value in milliseconds])


def timeline(*steps: Step, loop: bool = True) -> Impairment:
    return Impairment(timeline=Timeline(steps, loop))


def test_conditions_follow_each_other_from_the_first_packet_on() -> None:
    way = timeline(Step(SECOND, Impairment(10 * MS)), Step(2 * SECOND, Impairment(50 * MS, loss=Loss(1.0))))
    arrival = 7 * SECOND + at(0, 999, 1000, 2999, 3000, 3999, 4000, 6000)
    release = release_of(Link(way, 1), arrival, np.full(8, 100))
    lost = [False, False, True, True, False, False, True, False]
    assert (release == DROPPED).tolist() == lost
    assert set((release - arrival)[release != DROPPED].tolist()) == {10 * MS}


def test_the_last_condition_stays_without_a_loop() -> None:
    way = timeline(Step(SECOND, Impairment(10 * MS)), Step(SECOND, Impairment(50 * MS)), loop=False)
    arrival = at(0, 1500, 2500, 900_000)
    assert (release_of(Link(way, 1), arrival, np.full(4, 1)) - arrival).tolist() == [
        10 * MS,
        50 * MS,
        50 * MS,
        50 * MS,
    ]


def test_an_outage_drops_or_holds() -> None:
    drop = timeline(Step(SECOND, Impairment()), Step(SECOND, Impairment(), "drop"))
    arrival = at(0, 500, 1100, 1900, 2000)
    link = Link(drop, 1)
    assert (release_of(link, arrival, np.full(5, 100)) == DROPPED).tolist() == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert link.counters.outage == 2
    hold = timeline(Step(SECOND, Impairment(rate_bps=8_000_000)), Step(SECOND, Impairment(), "hold"))
    release = release_of(Link(hold, 1), arrival, np.full(5, 958))
    # held packets leave in a burst at the line's speed: 1000 bytes at 8 Mbit/s take 1 ms each
    assert (release / MS).round(3).tolist() == [1, 501, 2001, 2002, 2003]


def test_a_rate_that_changes_serves_what_waits_at_the_new_speed() -> None:
    way = timeline(Step(SECOND, Impairment(rate_bps=800_000)), Step(SECOND, Impairment(rate_bps=8_000_000)))
    # at 800 kbit/s a packet of 1000 bytes takes 10 ms: 5 of the 8 queued at 950 ms still do
    release = release_of(Link(way, 1), at(*[0] + [950] * 8), np.full(9, 958))
    assert (release[1:] / MS).round(3).tolist() == [960, 970, 980, 990, 1000, 1001, 1002, 1003]


def test_the_queue_of_a_varying_line_is_in_time_at_the_conditions_rate() -> None:
    way = timeline(Step(SECOND, Impairment(rate_bps=800_000, queue_ns=20 * MS)))
    release = release_of(Link(way, 1), at(0, 0, 0, 0, 11), np.full(5, 958))
    assert [None if when == DROPPED else round(when / MS, 3) for when in release.tolist()] == [
        10,
        20,
        30,
        None,
        40,
    ]


def test_outages_come_at_random_and_last_at_random() -> None:
    times = OutageTimes(Outage("hold", (17 * SECOND, 28 * SECOND), (80 * MS, 300 * MS)), 3)
    times.extend(3600 * SECOND)
    length, pause = times.end - times.begin, times.begin[1:] - times.end[:-1]
    assert times.known_ns > 3600 * SECOND
    assert 80 * MS <= length.min() < length.max() < 300 * MS
    assert 17 * SECOND <= pause.min() < pause.max() < 28 * SECOND
    assert length.mean() == pytest.approx(190 * MS, rel=0.1)
    early = OutageTimes(Outage("hold", (17 * SECOND, 28 * SECOND), (80 * MS, 300 * MS)), 3)
    assert early.contain(times.begin[:1]).all()
    assert not early.contain(times.end[:1]).any()
    assert not early.contain(times.begin[:1] - 1).any()


def test_a_handover_holds_and_then_releases_everything_at_once() -> None:
    outage = Outage("hold", (SECOND, SECOND), (200 * MS, 200 * MS))
    link = Link(Impairment(30 * MS, outages=(outage,)), 1)
    arrival = np.arange(200, dtype=np.int64) * 20 * MS
    passage = link.push(arrival, np.full(200, 100))
    delay = passage.release_ns - arrival
    assert len(passage.row) == 200
    assert delay.min() == 30 * MS + 1
    # the first one ready in a hold is so 10 ms after its begin
    assert delay.max() == pytest.approx(230 * MS - 10 * MS, abs=20)
    assert (np.diff(passage.release_ns) > 0).all()
    together = np.unique(passage.release_ns // MS, return_counts=True)[1]
    assert together.max() == 10


def test_interruptions_of_the_access_are_the_same_in_both_directions() -> None:
    way = Impairment(outages=(Outage("drop", (SECOND, 5 * SECOND), (200 * MS, 900 * MS)),), loss=Loss(0.1))
    path = Path.of([way], [way], 5)
    arrival, size = np.arange(20_000, dtype=np.int64) * MS, np.full(20_000, 50)
    up, down = release_of(path.up, arrival, size), release_of(path.down, arrival, size)
    # the loss model may have taken a packet before
    assert path.up.counters.outage == pytest.approx(path.down.counters.outage, rel=0.05)
    assert path.up.counters.outage > 1000
    assert ((up == DROPPED) != (down == DROPPED)).any()


def test_the_clock_of_a_path_starts_with_the_first_packet_of_either_direction() -> None:
    way = timeline(Step(SECOND, Impairment(MS)), Step(SECOND, Impairment(2 * MS)))
    path = Path.of([way], [way], 1)
    assert release_of(path.down, at(5000), np.array([1])).tolist() == [5001 * MS]
    assert release_of(path.up, at(5900, 6100), np.ones(2, np.int64)).tolist() == [5901 * MS, 6102 * MS]


def test_mahimahis_opportunities() -> None:
    # 1504 bytes at 2, 5 and 5 ms, then again from 5 ms on; 1472 bytes of payload fill one
    way = Impairment(delivery=Delivery("x", (2, 5, 5)), overhead_bytes=32)
    release = release_of(Link(way, 1), at(0, 0, 0, 0, 0), np.full(5, 1472))
    assert (release // MS).tolist() == [2, 5, 5, 7, 10]
    # a small packet shares an opportunity with one that waits, and what is not used is lost
    release = release_of(Link(way, 1), at(0, 0, 3, 6), np.array([720, 720, 720, 1472]))
    assert (release // MS).tolist() == [2, 2, 5, 7]
    # a large one needs two
    assert (release_of(Link(way, 1), at(0), np.array([1473])) // MS).tolist() == [5]
    once = Impairment(delivery=Delivery("x", (2, 5, 5), loop=False), overhead_bytes=32)
    assert release_of(Link(once, 1), at(0, 6), np.full(2, 1472))[1] > 10**15


def test_a_trace_has_its_mean_rate() -> None:
    delivery = Delivery("x", tuple(range(1, 1001)))
    assert delivery.rate_bps == pytest.approx(12_032_000)  # "12 Mbit/s" of packets of 1500 bytes
    release = release_of(
        Link(Impairment(delivery=delivery, overhead_bytes=32), 1),
        np.zeros(5000, np.int64),
        np.full(5000, 1472),
    )
    assert release[-1] == 5000 * MS


@pytest.mark.parametrize(
    "capacity",
    [
        Constant(),
        Stepwise(
            Timeline(
                (
                    Step(300 * MS, Impairment(rate_bps=1_000_000)),
                    Step(200 * MS, Impairment(), "hold"),
                    Step(7 * MS, Impairment()),
                    Step(500 * MS, Impairment(rate_bps=333_333)),
                )
            )
        ),
        Deliveries(Delivery("x", (3, 3, 8, 9, 40))),
        Held(Constant(), OutageTimes(Outage("hold", (90 * MS, 300 * MS), (10 * MS, 100 * MS)), 2)),
        Held(
            Deliveries(Delivery("x", (3, 3, 8, 9, 40))),
            OutageTimes(Outage("hold", (90 * MS, 300 * MS), (10 * MS, 100 * MS)), 2),
        ),
    ],
)
def test_time_is_the_first_at_which_the_work_is_done(
    capacity: Constant | Stepwise | Deliveries | Held,
) -> None:
    source = np.random.default_rng(1)
    times = np.sort(source.integers(0, 5 * SECOND, 2000))
    work = capacity.work(times)
    assert (np.diff(work) >= 0).all()
    asked = np.sort(source.integers(1, int(work[-1]), 2000))
    when = capacity.time(asked)
    assert (np.diff(when) >= 0).all()
    slack = BOUNDLESS_BPS * UNITS // 10**9  # the work of a nanosecond
    assert (capacity.work(when) >= asked - slack).all()
    assert (capacity.work(when - 2) <= asked).all()


def test_a_day_of_outages_is_as_exact_as_its_first_minute() -> None:
    outages = OutageTimes(Outage("hold", (SECOND, 2 * SECOND), (MS, 5 * MS)), 1)
    held = Held(Stepwise(Timeline((Step(SECOND, Impairment(rate_bps=1_000_000)),))), outages)
    late = 86_400 * SECOND
    work = held.work(np.array([late]))
    assert abs(int(held.time(work)[0]) - late) < 6 * MS


def test_outages_are_told_as_they_were() -> None:
    """What is dropped is exactly what arrives within the outages that the link tells of, on the packets' clock."""
    way = Impairment(delay_ns=5 * MS, outages=(Outage("drop", (SECOND, 3 * SECOND), (100 * MS, 900 * MS)),))
    link = Link(way, 3)
    assert link.interruptions(SECOND) == []  # nothing has started the clock
    arrival = 7 * SECOND + np.arange(0, 20_000, 5) * MS
    dropped = release_of(link, arrival, np.full(len(arrival), 100)) == DROPPED
    told = link.interruptions(int(arrival[-1]))
    assert len(told) > 4
    inside = np.zeros(len(arrival), bool)
    for one in told:
        assert one.kind == "drop"
        inside |= (arrival >= one.begin_ns) & (arrival < one.end_ns)
    assert (inside == dropped).all()
    assert link.interruptions(int(arrival[-1])) == told


def test_outages_of_a_time_line_are_told_round_after_round() -> None:
    step = Step(SECOND, Impairment())
    way = timeline(step, Step(500 * MS, Impairment(), "drop"), step, Step(SECOND, Impairment(), "hold"))
    path = Path.of([way, Impairment(delay_ns=30 * MS)], [Impairment()], 1)
    path.up.push(at(2000), np.array([100]))
    told = path.up.course(7 * SECOND)
    assert [(one.kind, one.begin_ns // MS, one.end_ns // MS) for one in told.interruptions] == [
        ("drop", 3000, 3500),
        ("hold", 4500, 5500),
        ("drop", 6500, 7000),
    ]
    assert told.least_delay_ns == 30 * MS
    assert path.report(7 * SECOND)["course_down"] == {"interruptions": (), "least_delay_ns": 0}
    once = timeline(step, Step(500 * MS, Impairment(), "drop"), step, loop=False)
    link = Link(once, 1)
    link.push(at(0), np.array([100]))
    assert [one.begin_ns for one in link.interruptions(100 * SECOND)] == [SECOND]
