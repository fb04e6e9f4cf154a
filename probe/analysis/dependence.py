"""How much less a run of packets says than as many independent values would.

Delays 20 ms apart are alike and losses come in bursts. The session, or a block of 15 to 60 s, is the unit
to count; within one run, losses are judged by how blocks differ and statistics by resampling blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.analysis.delay import Floats
from probe.analysis.intervals import CONFIDENCE, Interval, wilson
from probe.analysis.one_way import Mask

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Of each row of a table of resampled runs."""

LEAST_BLOCKS = 20
RESAMPLES = 2000
CELLS = 4_000_000
"""Values resampled at once."""


@dataclass(frozen=True, slots=True)
class LossInterval:
    """A loss ratio, its interval, and by how much its variance exceeds that of independent losses."""

    ratio: float
    interval: Interval
    inflation: float
    blocks: int


def block_losses(lost: Mask, block: int) -> NDArray[np.int64]:
    """Losses in each whole block of so many packets; the rest at the end belongs to no block."""
    blocks = len(lost) // block
    table = lost[: blocks * block].reshape(blocks, block)
    losses: NDArray[np.int64] = table.sum(axis=1, dtype=np.int64)
    return losses


def inflation_of(losses: NDArray[np.int64], packets: int) -> float:
    """Variance of blocks' losses over the binomial one (Pearson's dispersion), at least 1.

    1 where there are fewer than two blocks or nothing, or all, was lost: there is nothing to see.
    """
    share = losses.mean() / packets if len(losses) else 0.0
    if len(losses) < 2 or not 0 < share < 1:
        return 1.0
    return max(1.0, float(losses.var(ddof=1) / (packets * share * (1 - share))))


def loss_interval(lost: Mask, block: int, confidence: float = CONFIDENCE) -> LossInterval | None:
    """Wilson's interval with both counts divided by the inflation over blocks; None of nothing."""
    n = len(lost)
    if n == 0:
        return None
    losses = block_losses(lost, block)
    inflation = inflation_of(losses, block)
    hits = int(np.count_nonzero(lost))
    return LossInterval(hits / n, wilson(hits / inflation, n / inflation, confidence), inflation, len(losses))


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
