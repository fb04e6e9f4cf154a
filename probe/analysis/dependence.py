"""How much less a run of packets says than as many independent values would.

Delays 20 ms apart are alike and losses come in bursts. The session, or a block of 15 to 60 s, is the unit
to count; within one run, losses are judged by how blocks differ and statistics by resampling blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.analysis.clustered import shares_of
from probe.analysis.delay import Floats, Integers
from probe.analysis.intervals import CONFIDENCE, Interval
from probe.analysis.one_way import Mask
from probe.analysis.order_statistics import around, bounds

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Of each row of a table of resampled runs."""

LEAST_COMPARED = 5
"""Blocks without which nothing is known of how they differ."""
LEAST_BLOCKS = 20
"""Of a resampling."""
RESAMPLES = 2000
CELLS = 4_000_000
"""Values resampled at once."""


@dataclass(frozen=True, slots=True)
class RunInterval:
    """Of a value of one run; either end may be infinite. `n_eff` independent packets would say as much."""

    low: float
    high: float
    n_eff: float


def loss_interval(lost: Mask, block: int, confidence: float = CONFIDENCE) -> RunInterval | None:
    """Of the share of packets lost, or bad, overdispersed over blocks of so many packets (`clustered`).

    None where there are too few blocks to compare.
    """
    starts = np.arange(0, len(lost), block)
    if len(starts) < LEAST_COMPARED:
        return None
    hits = np.add.reduceat(lost, starts, dtype=np.float64)
    found = shares_of(hits[:, None], _sizes(starts, len(lost)), np.arange(len(starts) - 1))
    low, high = found.interval((1 - confidence) / 2)
    return RunInterval(float(low[0]), float(high[0]), float(found.n_eff[0]))


def percentile_intervals(
    values: NDArray[Any],
    ordered: NDArray[Any],
    per_mille: Sequence[int],
    block: int,
    confidence: float = CONFIDENCE,
) -> list[RunInterval] | None:
    """Of percentiles of `values`, a packet each in order of sending: the order statistics that surely more, and
    surely fewer, than the share beyond it exceed, each share overdispersed over blocks of so many packets.

    `ordered` are the finite of `values`, ascending: what is larger than all of them is lost, and an end that
    lies there is infinite. None without any, and where there are too few blocks to compare.
    """
    starts = np.arange(0, len(values), block)
    if len(starts) < LEAST_COMPARED or len(ordered) == 0:
        return None
    grid = around(ordered, len(values), per_mille)
    parts = (np.sort(values[start : start + block]) for start in starts.tolist())
    exceed = np.array([len(part) - np.searchsorted(part, grid, "right") for part in parts], np.float64)
    found = shares_of(exceed, _sizes(starts, len(values)), np.arange(len(starts) - 1))
    least, most = found.interval((1 - confidence) / 2)
    beyond = [1 - level / 1000 for level in per_mille]
    nearest = [int(np.argmin(np.abs(found.share - share))) for share in beyond]
    return [
        RunInterval(*bounds(grid, least, most, share), float(found.n_eff[at]))
        for share, at in zip(beyond, nearest, strict=True)
    ]


def _sizes(starts: Integers, n: int) -> Floats:
    return np.diff(starts, append=n).astype(np.float64)


def autocorrelation(values: Floats, longest: int) -> Floats:
    """Of lags 0 to `longest`, by segments whose correlations are averaged; nan of constant values."""
    centred = values - values.mean()
    segment = min(len(values), max(1 << 14, 4 * longest))
    length = 1 << (segment + longest).bit_length()
    total = np.zeros(longest + 1)
    for start in range(0, len(values), segment):
        # Each segment against itself and the `longest` values that follow it: no pair is left out.
        part = np.fft.rfft(centred[start : start + segment], length)
        longer = np.fft.rfft(centred[start : start + segment + longest], length)
        total += np.fft.irfft(part.conj() * longer, length)[: longest + 1]
    covariance = total / np.arange(len(values), len(values) - longest - 1, -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation: Floats = covariance / covariance[0]
    return correlation


def effective_n(values: Floats, longest: int = 1000) -> float:
    """n / (1 + 2 sum rho_k), summed as long as pairs of neighbouring lags stay positive (Geyer 1992).

    Never more than n; n of constant values.
    """
    n = len(values)
    if n < 3 or values.min() == values.max():
        return float(n)
    rho = autocorrelation(values, min(longest, n - 2))[1:]
    pairs = rho[: len(rho) // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    summed = float(pairs[: negative[0] if len(negative) else len(pairs)].sum())
    return n / max(1.0, 1 + 2 * summed)


def autoregressive_n(n: int, rho: float) -> float:
    """Effective n of a first-order autoregression: n (1 - rho) / (1 + rho)."""
    return n * (1 - rho) / (1 + rho)


def block_length(n: int, packets_per_second: float, decorrelation: float) -> int:
    """Packets a bootstrap block: a second, twice the decorrelation time, and n^(1/3) at least."""
    return max(1, round(packets_per_second), round(2 * decorrelation), round(math.cbrt(n)))


def block_bootstrap(
    values: Floats,
    statistic: Statistic,
    block: int,
    *,
    seed: int,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """Percentile interval of a statistic by moving blocks (Kuensch 1989); None under 20 blocks.

    Costs `resamples` passes over the values: thin out or take blocks' own values of long runs first.
    The seed belongs into the report.
    """
    n = len(values)
    if n < LEAST_BLOCKS * block:
        return None
    random = np.random.default_rng(seed)
    blocks = -(-n // block)
    inside = np.arange(block)
    at_once = max(1, CELLS // n)
    found: list[Floats] = []
    for start in range(0, resamples, at_once):
        begins = random.integers(0, n - block + 1, (min(at_once, resamples - start), blocks, 1))
        found.append(statistic(values[begins + inside].reshape(len(begins), -1)[:, :n]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(found), (tail, 1 - tail), method="inverted_cdf")
    return Interval(float(low), float(high))
