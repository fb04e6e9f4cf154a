"""Simulated vendors: sessions over days whose delays and losses are alike within a session, a day, a burst."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from probe.analysis.admission import Examined
from probe.analysis.population import Population, Share
from probe.analysis.results import Direction, Distribution, Poolable, SessionSummary
from tests.analysis.made import record

Floats = NDArray[np.float64]
RATE = 50
NOTHING = Distribution()
NO_WAY = Direction(0, 0, 0, 0, 0, None, None, None, None, NOTHING, NOTHING, NOTHING, {})


@dataclass(frozen=True)
class Vendor:
    """`tau_s` is how long a queue remembers, `burst` how many packets a loss burst takes on average.

    `day` and `session` are the spread (log) of the level from day to day and from session to session.
    """

    tau_s: float = 2.0
    burst: float = 8.0
    loss: float = 0.02
    day: float = 0.06
    session: float = 0.06


def delays(vendor: Vendor, days: NDArray[np.int64], packets: int, random: np.random.Generator) -> Floats:
    """Round trips in ms: sessions (of `days`) x packets. A floor, a queue that wanders, and jitter."""
    keep = np.exp(-1 / RATE / vendor.tau_s)
    push = np.sqrt(1 - keep**2)
    state = random.normal(size=days.shape)
    queue = np.empty((packets, *days.shape))
    for at in range(packets):
        state = keep * state + push * random.normal(size=days.shape)
        queue[at] = state
    level = _level(vendor, days, random)
    jitter = random.exponential(4.0, (*days.shape, packets))
    found: Floats = level[..., None] * (60 + 25 * np.exp(0.6 * np.moveaxis(queue, 0, -1)) + jitter)
    return found


def losses(
    vendor: Vendor, days: NDArray[np.int64], packets: int, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Gilbert's two states, whose share of losses varies by session and day as the delays do."""
    share = vendor.loss * _level(vendor, days, random, twice=3.0)
    leave = 1 / vendor.burst
    enter = share * leave / (1 - share)
    bad = random.random(days.shape) < share
    lost = np.empty((packets, *days.shape), np.bool_)
    for at in range(packets):
        draw = random.random(days.shape)
        bad = np.where(bad, draw >= leave, draw < enter)
        lost[at] = bad
    return np.moveaxis(lost, 0, -1)


def _level(
    vendor: Vendor, days: NDArray[np.int64], random: np.random.Generator, twice: float = 1.0
) -> Floats:
    """Mean 1. The days of each run (a row) are its own."""
    day, session = twice * vendor.day, twice * vendor.session
    of_day = random.normal(size=(days.shape[0], int(days.max()) + 1))
    log = day * np.take_along_axis(of_day, days, axis=1) + session * random.normal(size=days.shape)
    found: Floats = np.exp(log - (day**2 + session**2) / 2)
    return found


@cache
def true_p95(vendor: Vendor) -> float:
    """Of all days and sessions, by simulation."""
    days = np.tile(np.arange(40), (40, 1))
    return float(np.quantile(delays(vendor, days, 1500, np.random.default_rng(999)), 0.95))


def session(day: int, number: int, delay: Floats, lost: NDArray[np.bool_], block: int = 500) -> Examined:
    """As analysis would make it of packets with these round trips, of which these were lost."""
    date_of = date(2026, 11, 1) + timedelta(days=day)
    made = record(
        index=number,
        started_at=f"{date_of}T12:{number:02}:00+00:00",
        local_time=f"{date_of}T19:{number:02}:00+07:00",
        duration_ns=len(delay) * 1_000_000_000 // RATE,
    )
    cuts = range(0, len(delay), block)
    trips = tuple(Population(np.sort(delay[at : at + block])) for at in cuts)
    shares = tuple(Share(int(lost[at : at + block].sum()), len(lost[at : at + block])) for at in cuts)
    values: dict[str, Poolable] = {"rtt": Population.pooled(trips), "loss": Share.pooled(shares)}
    blocks: dict[str, tuple[Poolable, ...]] = {"rtt": trips, "loss": shares}
    return Examined(
        SessionSummary(made, {}, NOTHING, None, NO_WAY, None, None, {"grade": "good"}, values, blocks), None
    )
