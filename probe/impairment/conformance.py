"""What is held against a real kernel's netem: settings, the traffic put through them, and `tc`'s words for them.

The words are written by hand, not made from the settings: they are the other side of the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from probe.impairment.profile import (
    Chance,
    FourState,
    GilbertElliott,
    Impairment,
    Loss,
    Reorder,
    Slot,
)

MS = 1_000_000
US = 1_000


@dataclass(frozen=True, slots=True)
class Traffic:
    """`packets` of `size` bytes of UDP payload, `burst` of them each `gap_ns`."""

    packets: int
    size: int = 130
    gap_ns: int = MS
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Case:
    """One setting. `kind` says what is compared: fates alone, delays, or times to the nanosecond."""

    name: str
    tc: str
    impairment: Impairment
    traffic: Traffic
    kind: Literal["count", "delay", "exact"]


COUNT = Traffic(200_000, gap_ns=100 * US)
DELAY = Traffic(20_000, gap_ns=2 * MS)
VOICE = Traffic(20_000, gap_ns=20 * MS)
# Odd times: a packet that comes in the very nanosecond in which another leaves is nobody's case.
EXACT = Traffic(2_000, size=958, gap_ns=5_003_000)

NORMAL = "distribution normal"

CASES = (
    Case("none", "netem", Impairment(), EXACT, "exact"),
    Case("loss 1 %", "netem loss 1%", Impairment(loss=Loss(0.01)), COUNT, "count"),
    Case("loss 10 %", "netem loss 10%", Impairment(loss=Loss(0.1)), COUNT, "count"),
    Case("loss 50 %", "netem loss 50%", Impairment(loss=Loss(0.5)), COUNT, "count"),
    Case(
        "loss 10 % corr 25 %",
        "netem loss 10% 25%",
        Impairment(loss=Loss(0.1, correlation=0.25)),
        COUNT,
        "count",
    ),
    Case(
        "loss 20 % corr 50 %",
        "netem loss 20% 50%",
        Impairment(loss=Loss(0.2, correlation=0.5)),
        COUNT,
        "count",
    ),
    Case(
        "loss 30 % in bursts of 4",
        "netem loss gemodel 10.7142857% 25%",
        Impairment(loss=Loss(0.3, 4)),
        COUNT,
        "count",
    ),
    Case(
        "gemodel 5 40",
        "netem loss gemodel 5% 40%",
        Impairment(loss=GilbertElliott(0.05, 0.4)),
        COUNT,
        "count",
    ),
    Case(
        "gemodel 2 20 80",
        "netem loss gemodel 2% 20% 80%",
        Impairment(loss=GilbertElliott(0.02, 0.2, 0.8)),
        COUNT,
        "count",
    ),
    Case(
        "gemodel 1 10 70 .1",
        "netem loss gemodel 1% 10% 70% 0.1%",
        Impairment(loss=GilbertElliott(0.01, 0.1, 0.7, 0.001)),
        COUNT,
        "count",
    ),
    # Without chance: which state decides, the one before the transition or the one after it.
    Case(
        "gemodel 100 100",
        "netem loss gemodel 100% 100%",
        Impairment(loss=GilbertElliott(1.0, 1.0)),
        EXACT,
        "exact",
    ),
    Case(
        "state 100 100",
        "netem loss state 100% 100%",
        Impairment(loss=FourState(1.0, 1.0)),
        EXACT,
        "exact",
    ),
    Case("state 5", "netem loss state 5%", Impairment(loss=FourState(0.05)), COUNT, "count"),
    Case(
        "state 2 30 20 40 .5",
        "netem loss state 2% 30% 20% 40% 0.5%",
        Impairment(loss=FourState(0.02, 0.3, 0.2, 0.4, 0.005)),
        COUNT,
        "count",
    ),
    Case("duplicate 1 %", "netem duplicate 1%", Impairment(duplicate=Chance(0.01)), COUNT, "count"),
    Case(
        "duplicate 20 % loss 20 %",
        "netem duplicate 20% loss 20%",
        Impairment(duplicate=Chance(0.2), loss=Loss(0.2)),
        COUNT,
        "count",
    ),
    Case(
        "duplicate 40 % gemodel 5 30",
        "netem duplicate 40% loss gemodel 5% 30%",
        Impairment(duplicate=Chance(0.4), loss=GilbertElliott(0.05, 0.3)),
        COUNT,
        "count",
    ),
    Case(
        "duplicate 10 % rate 2 Mbit/s",
        "netem duplicate 10% rate 2mbit",
        Impairment(duplicate=Chance(0.1), rate_bps=2_000_000),
        Traffic(20_000, size=458, gap_ns=2500 * US),
        "delay",
    ),
    Case(
        "corrupt 5 %",
        "netem corrupt 5%",
        Impairment(corrupt=Chance(0.05)),
        Traffic(50_000, size=1000, gap_ns=100 * US),
        "count",
    ),
    Case(
        "delay 100 ms 20 ms uniform",
        "netem delay 100ms 20ms",
        Impairment(100 * MS, 20 * MS, "uniform", ordered=False),
        DELAY,
        "delay",
    ),
    Case(
        "delay 100 ms 20 ms normal",
        f"netem delay 100ms 20ms {NORMAL}",
        Impairment(100 * MS, 20 * MS, ordered=False),
        DELAY,
        "delay",
    ),
    Case(
        "delay 100 ms 20 ms pareto",
        "netem delay 100ms 20ms distribution pareto",
        Impairment(100 * MS, 20 * MS, "pareto", ordered=False),
        DELAY,
        "delay",
    ),
    Case(
        "delay 100 ms 20 ms paretonormal",
        "netem delay 100ms 20ms distribution paretonormal",
        Impairment(100 * MS, 20 * MS, "paretonormal", ordered=False),
        DELAY,
        "delay",
    ),
    Case(
        "delay 10 ms 50 ms uniform",
        "netem delay 10ms 50ms",
        Impairment(10 * MS, 50 * MS, "uniform", ordered=False),
        DELAY,
        "delay",
    ),
    Case(
        "delay 100 ms 20 ms corr 50 %",
        f"netem delay 100ms 20ms 50% {NORMAL}",
        Impairment(100 * MS, 20 * MS, ordered=False, delay_correlation=0.5),
        DELAY,
        "delay",
    ),
    Case(
        "ordered delay 100 ms 20 ms, voice",
        f"netem delay 100ms 20ms {NORMAL} rate 100gbit",
        Impairment(100 * MS, 20 * MS),
        VOICE,
        "delay",
    ),
    Case(
        "delay 50 ms 20 ms rate 100 Mbit/s",
        "netem delay 50ms 20ms rate 100mbit",
        Impairment(50 * MS, 20 * MS, "uniform", rate_bps=100_000_000),
        DELAY,
        "delay",
    ),
    Case(
        "delay 30 ms 60 ms pareto rate 1 Mbit/s",
        "netem delay 30ms 60ms distribution pareto rate 1mbit",
        Impairment(30 * MS, 60 * MS, "pareto", rate_bps=1_000_000),
        Traffic(20_000, gap_ns=10 * MS),
        "delay",
    ),
    # A draw below zero takes away from the time on an idle line.
    Case(
        "delay 5 ms 20 ms rate 200 kbit/s",
        "netem delay 5ms 20ms rate 200kbit",
        Impairment(5 * MS, 20 * MS, "uniform", rate_bps=200_000),
        Traffic(20_000, gap_ns=60 * MS),
        "delay",
    ),
    Case(
        "rate 1 Mbit/s",
        "netem rate 1mbit",
        Impairment(rate_bps=1_000_000),
        Traffic(2_000, 958, 20 * MS, 2),
        "exact",
    ),
    Case(
        "rate 1 Mbit/s delay 50 ms",
        "netem delay 50ms rate 1mbit",
        Impairment(50 * MS, rate_bps=1_000_000),
        Traffic(2_000, 958, 20 * MS, 2),
        "exact",
    ),
    Case(
        "rate overhead -14",
        "netem rate 1mbit -14",
        Impairment(rate_bps=1_000_000, overhead_bytes=28),
        Traffic(2_000, 100),
        "exact",
    ),
    Case(
        "rate cell 48 5",
        "netem rate 1mbit 0 48 5",
        Impairment(rate_bps=1_000_000, cell_bytes=48, cell_overhead_bytes=5),
        Traffic(2_000, 100, 2 * MS),
        "exact",
    ),
    Case(
        "limit 50, rate 1 Mbit/s at 1.6 times",
        "netem rate 1mbit limit 50",
        Impairment(rate_bps=1_000_000, limit_packets=50),
        EXACT,
        "exact",
    ),
    Case(
        "limit 50, delay 100 ms at 1000/s",
        "netem delay 100ms limit 50",
        Impairment(100 * MS, limit_packets=50),
        Traffic(2_000, gap_ns=1_003_000),
        "exact",
    ),
    Case(
        "reorder 25 %",
        "netem delay 50ms reorder 25%",
        Impairment(50 * MS, reorder=Reorder(0.25)),
        Traffic(100_000),
        "count",
    ),
    Case(
        "reorder 25 % corr 50 %",
        "netem delay 50ms reorder 25% 50%",
        Impairment(50 * MS, reorder=Reorder(0.25, correlation=0.5)),
        Traffic(100_000),
        "count",
    ),
    Case(
        "reorder 100 % gap 5",
        "netem delay 50ms reorder 100% gap 5",
        Impairment(50 * MS, reorder=Reorder(1.0, 5)),
        Traffic(2_000),
        "exact",
    ),
    Case(
        "reorder 25 % gap 5",
        "netem delay 50ms reorder 25% gap 5",
        Impairment(50 * MS, reorder=Reorder(0.25, 5)),
        Traffic(100_000),
        "count",
    ),
    Case(
        "slot 20-40 ms, 500/s",
        "netem slot 20ms 40ms",
        Impairment(slot=Slot(20 * MS, 40 * MS)),
        DELAY,
        "delay",
    ),
    Case(
        "slot 20-40 ms, 10/s",
        "netem slot 20ms 40ms",
        Impairment(slot=Slot(20 * MS, 40 * MS)),
        Traffic(10_000, gap_ns=100 * MS),
        "delay",
    ),
    Case(
        "slot 20 ms packets 5",
        "netem slot 20ms packets 5",
        Impairment(slot=Slot(20 * MS, 20 * MS, packets=5)),
        Traffic(2_000, gap_ns=3_001_000),
        "exact",
    ),
    Case(
        "slot 20 ms 5 ms normal",
        "netem slot distribution normal 20ms 5ms",
        Impairment(slot=Slot(20 * MS, 20 * MS, jitter_ns=5 * MS, distribution="normal")),
        DELAY,
        "delay",
    ),
    Case(
        "all at once",
        "netem delay 40ms 10ms distribution normal loss gemodel 3% 30% duplicate 5% reorder 10% rate 5mbit",
        Impairment(
            40 * MS,
            10 * MS,
            loss=GilbertElliott(0.03, 0.3),
            duplicate=Chance(0.05),
            reorder=Reorder(0.1),
            rate_bps=5_000_000,
        ),
        Traffic(20_000, gap_ns=MS),
        "delay",
    ),
)

AMPLE_LIMIT = 1_000_000
"""Packets; what `limit` is set to where the case does not speak of it (netem's own is 1000)."""


def tc_words(case: Case) -> list[str]:
    """The arguments of `tc qdisc add dev X`."""
    words = ["root", *case.tc.split()]
    if "limit" not in words:
        # `limit` belongs in front: behind `slot` or `rate` it would be read as theirs.
        words[2:2] = ["limit", str(AMPLE_LIMIT)]
    return words
