"""When interruptions begin and end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.impairment.course import Outage
from probe.impairment.draws import OUTAGE, Draws, Seed
from probe.metrics import Times

_AT_ONCE = 64  # outages drawn together


class OutageTimes:
    """The outages of one kind, drawn by their number, as far as they have been asked for.

    Times are nanoseconds since the start.
    """

    def __init__(self, outage: Outage, seed: Seed) -> None:
        self._outage = outage
        self._draws = Draws(seed, OUTAGE)
        self._pool = np.zeros(0, np.int64)
        self.begin: NDArray[np.int64] = np.zeros(0, np.int64)
        self.end: NDArray[np.int64] = np.zeros(0, np.int64)
        self.extend(0)

    @property
    def known_ns(self) -> int:
        """Up to here all outages are known."""
        return int(self.end[-1])

    def extend(self, until_ns: int) -> None:
        """Know all outages up to `until_ns`."""
        while not len(self.end) or self.end[-1] <= until_ns:
            if len(self._pool) < 2 * _AT_ONCE:
                self._pool = np.concatenate([self._pool, self._draws.block()])
            draw, self._pool = self._pool[: 2 * _AT_ONCE], self._pool[2 * _AT_ONCE :]
            pause = _between(draw[::2], self._outage.every_ns)
            length = _between(draw[1::2], self._outage.lasts_ns)
            end = np.cumsum(pause + length) + (self.end[-1] if len(self.end) else 0)
            self.begin, self.end = np.concatenate([self.begin, end - length]), np.concatenate([self.end, end])

    def contain(self, time_ns: Times) -> NDArray[np.bool_]:
        """Whether each time lies in an outage."""
        self.extend(int(time_ns.max(initial=0)))
        last = np.searchsorted(self.begin, time_ns, "right") - 1
        return (last >= 0) & (time_ns < self.end[last])


def _between(draw: NDArray[np.int64], bounds: tuple[int, int]) -> Times:
    low, high = bounds
    spread: Times = low + np.floor(draw * ((high - low) / 2**32)).astype(np.int64)
    return spread
