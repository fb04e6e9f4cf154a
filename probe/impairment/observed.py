"""What a stream of numbered packets went through, as figures with their errors.

A figure's error is that of its mean over blocks of packets, so that it holds for sequences with a memory too:
bursts of losses, delays in a queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from probe.impairment.conformance import Case, Traffic
from probe.impairment.draws import Seed
from probe.impairment.link import Link
from probe.metrics import Times

BLOCKS = 40
MS = 1e6

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Observation:
    """`packets` were sent in order; `sequence` are those that arrived, in the order of arrival.

    `delay_ns` is of each arrival; None where only fates are known. `overtook` tells which packets were let past
    others, where that was looked for.
    """

    packets: int
    copies: NDArray[np.uint8]
    sequence: NDArray[np.int64] | None = None
    delay_ns: Times | None = None
    overtook: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A value, and how far it may be off by chance (one standard error)."""

    value: float
    error: float


def sending_times(traffic: Traffic) -> Times:
    """(n,) when packets are sent."""
    times: Times = np.arange(traffic.packets, dtype=np.int64) // traffic.burst * traffic.gap_ns
    return times


def through_link(case: Case, seed: Seed, rounds: int = 1) -> Observation:
    """What our own model makes of a case; with more packets (`rounds` times) the figures are closer."""
    traffic = case.traffic
    traffic = Traffic(traffic.packets * rounds, traffic.size, traffic.gap_ns, traffic.burst)
    sent = sending_times(traffic)
    passage = Link(case.impairment, seed).push(sent, np.full(traffic.packets, traffic.size))
    order = np.argsort(passage.release_ns, kind="stable")
    sequence = passage.row[order]
    delay = passage.release_ns[order] - sent[sequence]
    overtook = None
    if case.impairment.reorder is not None:
        overtook = np.zeros(traffic.packets, np.bool_)
        overtook[sequence[delay < case.impairment.delay_ns // 2]] = True
    copies = np.bincount(passage.row, minlength=traffic.packets).astype(np.uint8)
    return Observation(traffic.packets, copies, sequence, delay, overtook)


def bursts(lost: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The lengths of the runs of losses."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(np.int8), [0]])))
    return np.asarray(edges[1::2] - edges[::2], np.int64)


def reordered(sequence: NDArray[np.int64]) -> NDArray[np.bool_]:
    """RFC 4737: which arrivals come after one that was sent later; copies of what arrived are none."""
    return sequence < np.maximum.accumulate(sequence)


def autocorrelation(values: Values) -> float:
    """Of values one apart; 0 where they do not vary."""
    deviation = values - values.mean()
    spread = float((deviation**2).mean())
    return float((deviation[1:] * deviation[:-1]).mean()) / spread if spread else 0.0


def figure(values: Values, statistic: Callable[[Values], float]) -> Figure:
    """A statistic of all values, and its error from those of blocks."""
    if len(values) < 2 * BLOCKS:
        return Figure(statistic(values) if len(values) else 0.0, inf)
    parts = np.array([statistic(part) for part in np.array_split(values, BLOCKS)])
    return Figure(statistic(values), float(parts.std(ddof=1)) / sqrt(BLOCKS))


def _mean(values: Values) -> float:
    return float(values.mean())


def _deviation(values: Values) -> float:
    return float(values.std())


def _quantile(share: float) -> Callable[[Values], float]:
    return lambda values: float(np.quantile(values, share))


def figures(case: Case, seen: Observation) -> dict[str, Figure]:
    """The figures that a case is judged by."""
    impairment = case.impairment
    found: dict[str, Figure] = {}
    lost = seen.copies == 0
    if impairment.loss is not None or impairment.limit_packets is not None:
        found["loss %"] = figure(100 * lost.astype(np.float64), _mean)
    if impairment.loss is not None:
        runs = bursts(lost).astype(float)
        error = float(runs.std()) / sqrt(len(runs)) if len(runs) > 1 else inf
        found["mean burst"] = Figure(float(runs.mean()) if len(runs) else 0.0, error)
        found["loss autocorrelation"] = figure(lost.astype(float), autocorrelation)
    if impairment.duplicate is not None:
        found["doubled %"] = figure(100 * (seen.copies > 1).astype(np.float64), _mean)
    if seen.overtook is not None:
        # of those that are not lost, which cannot be seen to overtake
        found["overtook %"] = figure(100 * seen.overtook[~lost].astype(np.float64), _mean)
    if seen.delay_ns is not None and seen.sequence is not None and case.kind != "count":
        found |= _delays(case, seen.sequence, seen.delay_ns)
    return found


def _delays(case: Case, sequence: NDArray[np.int64], delay_ns: Times) -> dict[str, Figure]:
    by_number = delay_ns[np.argsort(sequence, kind="stable")] / MS
    if case.kind == "exact":
        return {
            "mean delay ms": figure(by_number, _mean),
            "largest delay ms": Figure(float(by_number.max()), 0.0),
        }
    found = {
        "mean delay ms": figure(by_number, _mean),
        "deviation ms": figure(by_number, _deviation),
        "p25 ms": figure(by_number, _quantile(0.25)),
        "median ms": figure(by_number, _quantile(0.5)),
        "p99 ms": figure(by_number, _quantile(0.99)),
        "delay autocorrelation": figure(by_number, autocorrelation),
        "reordered %": figure(100 * reordered(sequence).astype(np.float64), _mean),
    }
    if case.impairment.slot is not None:
        found["packets a slot"] = _groups(case, sequence, delay_ns)
    return found


def _groups(case: Case, sequence: NDArray[np.int64], delay_ns: Times) -> Figure:
    """How many packets leave together."""
    release = sequence // case.traffic.burst * case.traffic.gap_ns + delay_ns
    edges = np.flatnonzero(np.diff(release) > 100_000)
    size = np.diff(edges).astype(float)
    return Figure(float(size.mean()), float(size.std()) / sqrt(len(size)))
