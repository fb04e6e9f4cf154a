"""What can be asked of a link, and the sentences for what cannot."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable

import pytest

from probe.impairment.course import Delivery, Outage, Step, Timeline
from probe.impairment.events import Chance, Reorder, Slot, Table
from probe.impairment.losses import FourState, GilbertElliott, Loss
from probe.impairment.profile import CLEAN, Impairment, NetworkProfile


def test_mean_loss_and_burst_become_gilbert_probabilities() -> None:
    # reference values of the presets loss-10/30/50-burst: p = P / (B (1 - P)), r = 1 / B
    for ratio, burst, p, r in ((0.10, 3, 0.0370, 0.333), (0.30, 4, 0.1071, 0.25), (0.50, 6, 0.1667, 0.167)):
        assert Loss(ratio, burst).gilbert == pytest.approx((p, r), abs=5e-4)


def test_the_shortest_possible_burst_is_independent_loss() -> None:
    assert Loss(0.2, 1.25).gilbert == pytest.approx((0.2, 0.8))
    assert Loss(0.2).gilbert == pytest.approx((0.2, 0.8))


@pytest.mark.parametrize(
    ("ratio", "burst", "words"),
    [
        (-0.1, None, "impossible"),
        (1.5, None, "impossible"),
        (float("nan"), None, "impossible"),
        (0.5, 1.5, "shorter than a loss of 50 % allows"),
        (0.1, 1.0, "1.11 in a row"),
        (0.1, float("inf"), "burst"),
        (1.0, 5.0, "endless"),
    ],
)
def test_impossible_loss_is_refused(ratio: float, burst: float | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Loss(ratio, burst)


OUTAGE = Outage("hold", (1, 2), (1, 2))
LINE = Timeline((Step(1, Impairment()),))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"delay_ns": -1}, "delay"),
        ({"jitter_ns": 3_000_000_000}, "jitter of 3000 ms"),
        ({"distribution": "gamma"}, "'gamma' is unknown"),
        ({"rate_bps": 0}, "rate of 0"),
        ({"queue_ns": 1}, "queue without a rate"),
        ({"rate_bps": 1000, "queue_ns": -1}, "queue of"),
        ({"rate_bps": 1000, "ordered": False}, "one after the other"),
        ({"overhead_bytes": -1}, "overhead"),
        ({"limit_packets": 0}, "limit of 0 packets"),
        ({"limit_packets": 5, "queue_ns": 5, "rate_bps": 8}, "bound the same queue"),
        ({"cell_bytes": 48}, "cells without a rate"),
        ({"cell_bytes": 48, "cell_overhead_bytes": -49, "rate_bps": 8}, "cell of less than no bytes"),
        ({"reorder": Reorder(0.1)}, "give a delay longer than the time between packets"),
        ({"reorder": Reorder(0.1), "ordered": False}, "give a delay"),
        ({"slot": Slot(1, 1), "ordered": False}, "slots send packets in their order"),
        ({"jitter_correlation": 0.5}, "delays that do not vary"),
        ({"jitter_correlation": 1.0, "jitter_ns": 1}, "never changes"),
        ({"jitter_correlation": 0.5, "delay_correlation": 0.5, "jitter_ns": 1}, "two models"),
        ({"delivery": Delivery("x", (1,)), "rate_bps": 8}, "a trace is the rate"),
        ({"delivery": Delivery("x", (1,)), "ordered": False}, "one after the other"),
        ({"outages": (OUTAGE, OUTAGE)}, "no more"),
        ({"outages": (OUTAGE,), "ordered": False}, "held packets leave in their order"),
        ({"timeline": LINE, "delivery": Delivery("x", (1,))}, "how the rate changes"),
        ({"timeline": Timeline((Step(1, Impairment(timeline=LINE)),))}, "no time line"),
        ({"timeline": LINE, "ordered": False}, "stay the same in all steps"),
    ],
)
def test_impossible_impairments_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Impairment(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Loss(0.1, 3, 0.5), "two models"),
        (lambda: Loss(0.1, correlation=1.5), "correlation of 150 %"),
        (lambda: GilbertElliott(0.0, 0.0), "never leaves the good state"),
        (lambda: GilbertElliott(0.1, 1.5), "gemodel's r of 150 %"),
        (lambda: FourState(0.6, p14=0.6), "two ways out of one state"),
        (lambda: FourState(0.1, 0.6, 0.6), "two ways out of one state"),
        (lambda: FourState(0.1, 0.0), "never left"),
        (lambda: FourState(0.1, 0.5, 0.1, 0.0), "never left"),
        (lambda: Chance(-0.1), "share of packets of -10 %"),
        (lambda: Reorder(0.1, 0), "gap of 0"),
        (lambda: Slot(2, 1), "max not below min"),
        (lambda: Slot(0, 0), "do nothing"),
        (lambda: Slot(1, 1, packets=-1), "fewer than no packets"),
        (lambda: Slot(1, 1, jitter_ns=1), "shape of a distribution"),
        (lambda: Slot(1, 2, distribution="normal"), "give one of the two"),
        (lambda: Slot(1, 1, jitter_ns=-1, distribution="normal"), "slot jitter"),
        (lambda: Table("mine", ()), "0 values"),
        (lambda: Table("mine", (40000,)), "holds 40000"),
        (lambda: Outage("pause", (1, 1), (1, 1)), "'pause' is unknown"),  # type: ignore[arg-type]
        (lambda: Outage("drop", (2, 1), (1, 1)), "shortest time first"),
        (lambda: Step(0, Impairment()), "more than 0 ms"),
        (lambda: Step(1, Impairment(), "pause"), "'pause' is unknown"),  # type: ignore[arg-type]
        (lambda: Timeline(()), "at least one step"),
        (lambda: Timeline((Step(1, Impairment(), "hold"),), loop=False), "never lets its packets go"),
        (lambda: Delivery("x", (5, 3)), "back in time at its 2. opportunity: 3 ms after 5 ms"),
        (lambda: Delivery("x", (0, 0)), "no length"),
    ],
)
def test_impossible_parts_are_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


def test_clean_means_nothing_is_done() -> None:
    assert CLEAN.clean
    assert Impairment(loss=Loss(0.0)).clean
    assert not Impairment(delay_ns=1).clean
    assert not Impairment(slot=Slot(1, 1)).clean
    assert not Impairment(duplicate=Chance(0.1)).clean
    assert not Impairment(outages=(OUTAGE,)).clean
    assert Impairment(timeline=LINE).clean
    assert not Impairment(timeline=Timeline((Step(1, Impairment(), "drop"),))).clean
    weak = NetworkProfile("x", "x", Impairment(loss=Loss(0.1)), Impairment(), "own estimate")
    assert not weak.clean


def test_a_profile_travels_to_another_process() -> None:
    profile = NetworkProfile("x", "x", Impairment(loss=Loss(0.1, 3)), Impairment(delay_ns=5), "own estimate")
    assert pickle.loads(pickle.dumps(profile)) == profile
