"""Impairments to put on real sockets for a second or two each, and what of them can be measured there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from probe.impairment.conformance import MS, US, Case, Traffic
from probe.impairment.course import Outage
from probe.impairment.profile import (
    Chance,
    FourState,
    GilbertElliott,
    Impairment,
    Loss,
    Reorder,
    Slot,
)

Kind = Literal["count", "delay", "exact"]

_MANY = Traffic(10_000, gap_ns=MS, burst=10)
_STEADY = Traffic(1500, gap_ns=MS)
_LOSS = ("loss %", "mean burst")
_DELAY = ("mean delay ms", "deviation ms", "reordered %")


@dataclass(frozen=True, slots=True)
class Trial:
    """A case, the direction it is put on, and the figures that are judged."""

    case: Case
    figures: tuple[str, ...]
    way: Literal["up", "down"] = "up"


def _trial(
    name: str,
    impairment: Impairment,
    traffic: Traffic,
    figures: tuple[str, ...],
    kind: Kind = "delay",
    way: Literal["up", "down"] = "up",
) -> Trial:
    return Trial(Case(name, "", impairment, traffic, kind), figures, way)


TRIALS = (
    _trial("nothing", Impairment(), _STEADY, ("mean delay ms",)),
    _trial("loss 10 %, up", Impairment(loss=Loss(0.1)), _MANY, _LOSS, "count"),
    _trial("loss 10 %, down", Impairment(loss=Loss(0.1)), _MANY, _LOSS, "count", "down"),
    _trial("loss 30 % in bursts of 4", Impairment(loss=Loss(0.3, 4)), _MANY, _LOSS, "count"),
    _trial(
        "Gilbert-Elliott 1 10 70 .1",
        Impairment(loss=GilbertElliott(0.01, 0.1, 0.7, 0.001)),
        _MANY,
        _LOSS,
        "count",
        "down",
    ),
    _trial(
        "four states 2 30 20 40 .5",
        Impairment(loss=FourState(0.02, 0.3, 0.2, 0.4, 0.005)),
        _MANY,
        _LOSS,
        "count",
    ),
    _trial(
        "duplicate 10 %, loss 5 %",
        Impairment(duplicate=Chance(0.1), loss=Loss(0.05)),
        _MANY,
        ("loss %", "doubled %"),
        "count",
    ),
    _trial("corrupt 5 %", Impairment(corrupt=Chance(0.05)), _MANY, (), "count", "down"),
    _trial(
        "reorder 25 %, delay 20 ms",
        Impairment(20 * MS, reorder=Reorder(0.25)),
        Traffic(3000, gap_ns=500 * US),
        ("overtook %",),
        "count",
    ),
    _trial("delay 50 ± 10 ms, unordered", Impairment(50 * MS, 10 * MS, ordered=False), _STEADY, _DELAY),
    _trial("delay 50 ± 10 ms, ordered", Impairment(50 * MS, 10 * MS), _STEADY, _DELAY, way="down"),
    _trial(
        "1 Mbit/s, 13 packets of queue",
        Impairment(rate_bps=1_000_000, limit_packets=13),
        Traffic(400, size=958, gap_ns=4 * MS),
        ("loss %", "mean delay ms"),
    ),
    _trial(
        "slots each 20-40 ms",
        Impairment(slot=Slot(20 * MS, 40 * MS)),
        _STEADY,
        ("mean delay ms", "p99 ms"),
    ),
    _trial(
        "held for 200 ms after each 300 ms",
        Impairment(10 * MS, outages=(Outage("hold", (300 * MS, 300 * MS), (200 * MS, 200 * MS)),)),
        _STEADY,
        ("mean delay ms", "p99 ms"),
        way="down",
    ),
)
