"""How long the delay line keeps a packet: netem's `delay TIME JITTER distribution NAME`, by packet number.

netem reads tables of 4096 quantiles, scaled by 8192 and cut at 16 bits. The tables are computed here from
the definitions of their distributions; the tests hold their moments against the shipped ones.
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from probe.impairment.draws import DELAY, Correlated, Seed
from probe.impairment.events import Distribution, Table
from probe.impairment.profile import Impairment
from probe.metrics import Times

TABLE_SIZE = 4096
TABLE_SCALE = 8192
RARE = 1000


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
def table(distribution: Distribution) -> Times:
    """(n,) equally likely deviations in units of jitter / 8192; those of the named ones ascend."""
    if isinstance(distribution, Table):
        return np.array(distribution.values, np.int64)
    if distribution == "normal":
        return _scaled(_normal())
    if distribution == "pareto":
        return _scaled(_pareto())
    if distribution == "paretonormal":
        return np.rint(0.25 * table("normal") + 0.75 * table("pareto")).astype(np.int64)
    raise ValueError(f"no table for the delay distribution {distribution!r}")


def table_delays(mean_ns: int, spread_ns: int, distribution: Distribution) -> Times:
    """(n,) the delays of a table, negative ones included: mu + sigma T / 8192, rounded half away from zero."""
    product = spread_ns * table(distribution)
    delays: Times = mean_ns + np.sign(product) * ((np.abs(product) + TABLE_SCALE // 2) // TABLE_SCALE)
    return delays


def evenly_drawn(mean_ns: int, spread_ns: int, distribution: Distribution) -> NDArray[np.float64]:
    """Delays at evenly spaced ranks of any distribution, negative ones included."""
    if distribution == "uniform":
        ranks = (np.arange(TABLE_SIZE) + 0.5) / TABLE_SIZE
        return mean_ns - spread_ns + ranks * (2 * spread_ns)
    return table_delays(mean_ns, spread_ns, distribution).astype(np.float64)


class DelayLine:
    """The delays of packets, in their order. A negative one means at once, unless the line adds to it."""

    def __init__(self, impairment: Impairment, seed: Seed) -> None:
        self._mean_ns = impairment.delay_ns
        self._spread_ns = impairment.jitter_ns
        self._correlated = Correlated(impairment.delay_correlation, seed, DELAY)
        self._walk: _Walk | None = None
        self._table: Times | None = None
        lowest = impairment.delay_ns - impairment.jitter_ns
        likely = lowest + 2 * impairment.jitter_ns // RARE
        if impairment.jitter_ns and impairment.distribution != "uniform":
            self._table = table_delays(self._mean_ns, self._spread_ns, impairment.distribution)
            in_order = np.sort(self._table)
            lowest, likely = int(in_order[0]), int(in_order[len(in_order) // RARE])
        if impairment.jitter_ns and impairment.jitter_correlation:
            self._walk = _Walk(impairment.jitter_correlation)
            if self._table is not None:
                self._table = in_order
        self.lowest_ns = lowest
        """The smallest draw."""
        self.likely_ns = likely
        """One draw in RARE is smaller."""
        self.min_ns = max(0, lowest)
        """No delay is shorter."""

    def delays(self, draw: NDArray[np.int64]) -> Times:
        """The delays of the next packets, given a uniform 32-bit number for each."""
        if not self._spread_ns:
            return np.full(len(draw), self._mean_ns)
        if self._walk is not None:
            return self._by_rank(self._walk.ranks(draw))
        draw = self._correlated.of(draw)
        if self._table is not None:
            return self._table[draw % len(self._table)]
        delays: Times = self._mean_ns - self._spread_ns + draw % (2 * self._spread_ns)
        return delays

    def _by_rank(self, rank: NDArray[np.float64]) -> Times:
        """The delays at `rank` (0 to 1) of the distribution."""
        if self._table is not None:
            return self._table[np.minimum((rank * len(self._table)).astype(np.int64), len(self._table) - 1)]
        low = self._mean_ns - self._spread_ns
        delays: Times = low + np.floor(rank * (2 * self._spread_ns)).astype(np.int64)
        return delays


class _Walk:
    """A stationary Gaussian sequence with Z_n = rho Z_(n-1) + sqrt(1 - rho^2) e_n, as ranks.

    Each rank is uniform, so that any distribution keeps its shape; the ranks of neighbours are
    correlated, as netem's are not.
    """

    def __init__(self, correlation: float) -> None:
        self._keep, self._add = correlation, (1 - correlation**2) ** 0.5
        self._last: float | None = None

    def ranks(self, draw: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,) numbers from 0 to 1."""
        if not len(draw):
            return np.zeros(0)
        grid, quantile = _gauss()
        fresh = np.interp((draw + 0.5) / 2**32, grid, quantile)
        values = self._add * fresh
        if self._last is None:
            values[0] = fresh[0]  # the first one has the stationary variance
        else:
            values[0] += self._keep * self._last
        # Each round doubles how far back a value reaches.
        step, weight = 1, self._keep
        while step < len(values):
            values[step:] = values[step:] + weight * values[:-step]
            step, weight = 2 * step, weight * weight
        self._last = float(values[-1])
        ranks: NDArray[np.float64] = np.interp(values, quantile, grid)
        return ranks


@cache
def _gauss() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities and their normal quantiles."""
    grid = (np.arange(16384) + 0.5) / 16384
    quantile = NormalDist().inv_cdf
    return grid, np.array([quantile(value) for value in grid.tolist()])
