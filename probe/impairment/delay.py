"""How long the delay line keeps a packet: netem's `delay TIME JITTER distribution NAME`, by packet number.

netem reads tables of 4096 quantiles, scaled by 8192 and cut at 16 bits. The tables are computed here from
the definitions of their distributions; the tests hold their moments against the shipped ones.
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from probe.impairment.draws import BLOCK, DELAY, Draws, Seed
from probe.impairment.profile import Impairment
from probe.metrics import Times

TABLE_SIZE = 4096
TABLE_SCALE = 8192


@cache
def _normal() -> NDArray[np.float64]:
    # Every fourth of 16384 quantiles of the standard normal distribution.
    quantile = NormalDist().inv_cdf
    return np.array([quantile((4 * row + 0.5) / 16384) for row in range(TABLE_SIZE)])


@cache
def _pareto() -> NDArray[np.float64]:
    # Shape 3: mean 3/2, scaled to a variance of 4/3 before the cut at 16 bits takes the tail.
    survival = np.arange(TABLE_SIZE, 0, -1) / TABLE_SIZE
    return np.asarray((survival ** (-1 / 3) - 1.5) * 4 / 3)


def _scaled(quantiles: NDArray[np.float64]) -> Times:
    return np.clip(np.rint(quantiles * TABLE_SCALE), -32768, 32767).astype(np.int64)


@cache
def table(distribution: str) -> Times:
    """(4096,) quantiles of `normal`, `pareto` or `paretonormal`, in units of jitter / 8192."""
    if distribution == "normal":
        return _scaled(_normal())
    if distribution == "pareto":
        return _scaled(_pareto())
    if distribution == "paretonormal":
        return np.rint(0.25 * table("normal") + 0.75 * table("pareto")).astype(np.int64)
    raise ValueError(f"no table for the delay distribution {distribution!r}")


def _table_delays(impairment: Impairment) -> Times:
    # mu + sigma T / 8192, rounded half away from zero.
    product = impairment.jitter_ns * table(impairment.distribution)
    rounded = np.sign(product) * ((np.abs(product) + TABLE_SCALE // 2) // TABLE_SCALE)
    delays: Times = np.maximum(impairment.delay_ns + rounded, 0)
    return delays


class DelayLine:
    """The delays of packets, in their order; a negative draw means at once, as in netem."""

    def __init__(self, impairment: Impairment, seed: Seed) -> None:
        self._mean_ns = impairment.delay_ns
        self._spread_ns = impairment.jitter_ns
        self._draws = Draws(seed, DELAY)
        self._table: Times | None = None
        lowest = impairment.delay_ns - impairment.jitter_ns
        if impairment.jitter_ns and impairment.distribution != "uniform":
            self._table = _table_delays(impairment)
            lowest = int(self._table.min())
        self.min_ns = max(0, lowest)
        """No delay is shorter."""

    def block(self) -> Times:
        """The delays of the next `BLOCK` packets."""
        if not self._spread_ns:
            return np.full(BLOCK, self._mean_ns)
        draw = self._draws.block()
        if self._table is not None:
            delays: Times = self._table[draw & (TABLE_SIZE - 1)]
        else:
            delays = np.maximum(self._mean_ns - self._spread_ns + draw % (2 * self._spread_ns), 0)
        return delays
