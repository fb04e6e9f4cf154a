"""How late packets left: a histogram with logarithmic buckets, cheap to feed and to merge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.metrics import Times

# The upper bits of a float32 are a logarithmic bucket number: 7 bits of mantissa, error below 0.4 %.
_SHIFT = 16
_BUCKETS = 1 << 15
_HELD = 512
"""Values that wait to be counted: a call of it costs as much as a hundred of them."""


@dataclass(frozen=True, slots=True)
class LatenessSummary:
    """Departure minus scheduled departure over n packets, in microseconds; None = no packet."""

    n: int = 0
    p50_us: float | None = None
    p99_us: float | None = None
    max_us: float | None = None


class Lateness:
    """Distribution of how late packets left, in nanoseconds; early ones count as 0."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, np.int64)
        self._max = 0
        self._held, self._end = np.zeros(_HELD, np.int64), 0

    def add(self, late_ns: Times) -> None:
        end = self._end + len(late_ns)
        if end > _HELD:
            self._count_held()
            if len(late_ns) > _HELD:
                self._count(late_ns)
                return
            end = len(late_ns)
        self._held[self._end : end] = late_ns
        self._end = end

    def _count_held(self) -> None:
        self._count(self._held[: self._end])
        self._end = 0

    def _count(self, late_ns: Times) -> None:
        late = np.maximum(late_ns, 0)
        self._max = max(self._max, int(late.max(initial=0)))
        np.add.at(self._counts, late.astype(np.float32).view(np.uint32) >> _SHIFT, 1)

    def summary(self) -> LatenessSummary:
        """Quantiles as `inverted_cdf`, each in the middle of its bucket and never above the maximum."""
        self._count_held()
        total = int(self._counts.sum())
        if not total:
            return LatenessSummary()
        below = np.cumsum(self._counts)
        p50, p99 = (self._value(int(np.searchsorted(below, share * total))) for share in (0.50, 0.99))
        return LatenessSummary(total, p50 / 1e3, p99 / 1e3, self._max / 1e3)

    def _value(self, bucket: int) -> float:
        edges = np.array([bucket, bucket + 1], np.uint32) << _SHIFT
        return min(float(edges.view(np.float32).mean()) if bucket else 0.0, float(self._max))
