"""Shares whose hits come in clusters: how far the true share may lie from the one seen.

The variance is taken from how the units (days, sessions, blocks) differ, never from the number of packets:
hits and packets are divided by its excess over the binomial one (Rao and Scott 1992), and Wilson's score
interval is made of what is left, with Student's t for so many units. All of a table at once: a row a unit,
a column a question.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.analysis.delay import Floats
from probe.analysis.student import critical

SERIAL_FROM = 10
"""Pairs of neighbouring blocks from which their likeness can be told from chance."""
MOST_ALIKE = 0.8
LEAST_FREEDOM = 4
"""Of two to four units that differ no more than by chance: there is no excess whose doubt would count."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Of each column: `share`, `inflation` of its variance, and how many independent packets are left."""

    share: Floats
    n: float
    inflation: Floats
    freedom: NDArray[np.int64]

    @property
    def n_eff(self) -> Floats:
        left: Floats = self.n / self.inflation
        return left

    def interval(self, tail: float) -> tuple[Floats, Floats]:
        """Low and high, each wrong with probability `tail`."""
        t2 = self.critical(tail) ** 2
        n = self.n_eff
        middle = self.share + t2 / (2 * n)
        half = np.sqrt(t2 * (self.share * (1 - self.share) / n + t2 / (4 * n**2)))
        low, high = (middle - half) / (1 + t2 / n), (middle + half) / (1 + t2 / n)
        return np.where(self.share > 0, low, 0.0), np.where(self.share < 1, high, 1.0)

    def critical(self, tail: float) -> Floats:
        """Student's t of each column."""
        known = {int(freedom): critical(int(freedom), tail) for freedom in np.unique(self.freedom)}
        return np.array([known[int(freedom)] for freedom in self.freedom])

    def score(self, column: int, against: float) -> float:
        """How many standard errors the column's share lies above `against`; the interval inverts this."""
        spread = against * (1 - against) / float(self.n_eff[column])
        above = float(self.share[column]) - against
        if spread <= 0:
            return float(np.sign(above)) * np.inf if above else 0.0
        return above / float(np.sqrt(spread))


def shares_of(
    hits: Floats, n: Floats, neighbours: NDArray[np.int64] | None = None, independent: int | None = None
) -> Shares:
    """`hits` is a table of units and questions, `n` the packets of each unit; at least two units.

    `neighbours` are units whose next one followed at once: where they are alike, they count for fewer.
    `independent` is how many units count for degrees of freedom, where not all do.
    """
    units, total = len(n), float(n.sum())
    share = hits.sum(axis=0) / total
    off = hits - share * n[:, None]
    seen = units / (units - 1) * (off**2).sum(axis=0) / total**2
    expected = share * (1 - share) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        inflation = np.where(expected > 0, seen / expected, 1.0)
    least = (independent or units) - 1
    freedom = np.where(inflation > 1.0, least, max(least, LEAST_FREEDOM))
    inflation = np.maximum(inflation, 1.0) * _likeness(off, neighbours)
    return Shares(share, total, inflation, freedom)


def _likeness(off: Floats, neighbours: NDArray[np.int64] | None) -> Floats:
    """(1 + r) / (1 - r) with r the correlation of neighbouring units, as of a first-order autoregression."""
    if neighbours is None or len(neighbours) < SERIAL_FROM:
        return np.ones(off.shape[1])
    together = (off[neighbours] * off[neighbours + 1]).sum(axis=0) / len(neighbours)
    alone = (off**2).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.clip(np.where(alone > 0, together / alone, 0.0), 0.0, MOST_ALIKE)
    likeness: Floats = (1 + r) / (1 - r)
    return likeness
