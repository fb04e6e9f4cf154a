"""The packets of a session cut into blocks of time, so that what lies together is counted together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.analysis.delay import Floats, Integers
from probe.analysis.one_way import Mask
from probe.analysis.population import JitterSummary, Population, Share
from probe.metrics import NEVER, Rows, Times

BLOCK_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Blocking:
    """`number` is the block of each row, by the time it was due; there are `count` of them."""

    number: NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, rows: Rows, block_ns: int = BLOCK_NS) -> Blocking:
        """A last block of less than half the length belongs to the one before it."""
        due: Times = rows["scheduled_ns"]
        known = due != NEVER
        if not known.any():
            return cls(np.zeros(len(rows), np.int64), 1)
        after = np.where(known, due - due[known].min(), 0)
        count = max(1, round(float(after.max() + 1) / block_ns))
        return cls(np.minimum(after // block_ns, count - 1), count)

    def shares(self, hits: Mask, population: Mask) -> tuple[Share, ...]:
        """`hits` among `population`, a share a block."""
        counts = (np.bincount(self.number[mask], minlength=self.count) for mask in (hits, population))
        return tuple(Share(int(hit), int(n)) for hit, n in zip(*counts, strict=True))

    def populations(
        self, values_ns: NDArray[Any], finite: Mask, infinite: Mask | None = None
    ) -> tuple[Population, ...]:
        """The values of the rows in `finite`, and how many are infinite, a population a block."""
        lost = (
            np.zeros(self.count, np.int64)
            if infinite is None
            else np.bincount(self.number[infinite], minlength=self.count)
        )
        parts = self._split(values_ns[finite], self.number[finite])
        return tuple(Population.of_ns(part, int(n)) for part, n in zip(parts, lost, strict=True))

    def jitters(self, at: Integers, levels: Floats) -> tuple[JitterSummary, ...]:
        """Levels of J in ns, of the rows `at`."""
        return tuple(
            JitterSummary(len(part), part.max() / 1e6, part.sum() / 1e6, part[-1] / 1e6)
            if len(part)
            else JitterSummary()
            for part in self._split(levels, self.number[at])
        )

    def _split(self, values: NDArray[Any], number: NDArray[np.int64]) -> Iterator[NDArray[Any]]:
        if self.count == 1:
            yield values
            return
        order = np.argsort(number, kind="stable")
        ends = np.searchsorted(number[order], np.arange(1, self.count))
        yield from np.split(values[order], ends)
