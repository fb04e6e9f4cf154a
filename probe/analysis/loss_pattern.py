"""Patterns of loss in one stream: distances, periods and runs (RFC 3357), and the burst ratio (G.107).

Positions count the packets that were sent. A run that touches an end of the series is taken as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.analysis.delay import Indices, Integers
from probe.analysis.one_way import Mask
from probe.analysis.population import Share


@dataclass(frozen=True, slots=True)
class LossPattern:
    """An entry of `lost`, `distances` and `periods` a lost packet; of the others a loss period.

    `lost` are positions; `distances` from the lost packet before, 0 for the first (RFC 3357 5, loss distance);
    `periods` counts the runs from 1 (5, loss period); `lengths` are those of the runs (6.3) and `between` how far
    the first loss of a period is from the last of the one before, 0 for the first (6.4).
    """

    packets: int
    lost: Indices
    distances: Integers
    periods: Integers
    lengths: Integers
    between: Integers

    @property
    def count(self) -> int:
        """Loss periods in all (RFC 3357 6.2)."""
        return len(self.lengths)

    def noticeable(self, delta: int) -> Share:
        """Losses that follow another within `delta` packets (RFC 3357 6.1), of the losses."""
        near = (self.distances > 0) & (self.distances <= delta)
        return Share(int(np.count_nonzero(near)), len(self.lost))

    @property
    def mean_run(self) -> float | None:
        """Packets lost in a row, on average; None without a loss."""
        return len(self.lost) / self.count if self.count else None

    @property
    def burst_ratio(self) -> float | None:
        """Mean run against that of independent losses, 1 / (1 - p) (G.107 7.5, BurstR).

        None without a loss, and where all is lost: neither has runs to compare.
        """
        if self.mean_run is None or len(self.lost) == self.packets:
            return None
        return self.mean_run * (1 - len(self.lost) / self.packets)


def loss_pattern(lost: Mask) -> LossPattern:
    """The pattern of a series of packets, in order of sequence number."""
    positions = np.flatnonzero(lost)
    distances = np.diff(positions, prepend=positions[:1])
    begins = distances != 1
    starts = np.flatnonzero(begins)
    return LossPattern(
        packets=len(lost),
        lost=positions,
        distances=distances,
        periods=np.cumsum(begins),
        lengths=np.diff(starts, append=len(positions)),
        between=distances[starts],
    )
