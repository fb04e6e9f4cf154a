"""Values that can be pooled: percentiles with lost = infinite, shares, and interarrival jitter.

Every class answers `n`, `value(aggregate)` and `pooled(parts)`; a session keeps one of them a metric,
and a cell of several sessions is judged on their pool, never on an average of percentiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.analysis.results import Distribution

PER_MILLE = {"p50": 500, "p90": 900, "p95": 950, "p99": 990, "p99.9": 999}


@dataclass(frozen=True, slots=True)
class Population:
    """Delays of packets: `finite` in ms, sorted; `infinite` more never arrived."""

    finite: NDArray[np.float64]
    infinite: int = 0

    @classmethod
    def of_ns(cls, values: NDArray[Any], infinite: int = 0) -> Population:
        """From unsorted nanoseconds."""
        finite = values / 1e6
        finite.sort()
        return cls(finite, infinite)

    @classmethod
    def of_sorted_ns(cls, values: NDArray[Any], infinite: int = 0) -> Population:
        return cls(values / 1e6, infinite)

    @classmethod
    def pooled(cls, parts: Iterable[Population]) -> Population:
        chosen = list(parts)
        if len(chosen) == 1:
            return chosen[0]
        finite = np.concatenate([part.finite for part in chosen] or [np.empty(0)])
        finite.sort(kind="stable")  # merges the sorted runs
        return cls(finite, sum(part.infinite for part in chosen))

    @property
    def n(self) -> int:
        return len(self.finite) + self.infinite

    def percentile(self, per_mille: int) -> float | None:
        """Smallest value whose share of values at or below it reaches the level (RFC 2330 11.3).

        numpy calls this `inverted_cdf`; the rank is computed in integers. Infinite when it falls among
        the lost (RFC 7679 5.1); None of nothing.
        """
        if self.n == 0:
            return None
        rank = max(1, -(-per_mille * self.n // 1000))
        return float(self.finite[rank - 1]) if rank <= len(self.finite) else math.inf

    def value(self, aggregate: str | None) -> float | None:
        """One aggregate by its name in thresholds; `min`, `mean`, `max` are over the received."""
        if aggregate in PER_MILLE:
            return self.percentile(PER_MILLE[aggregate])
        if len(self.finite) == 0:
            return None
        if aggregate == "mean":
            return float(self.finite.mean())
        return float(self.finite[0] if aggregate == "min" else self.finite[-1])

    def distribution(self) -> Distribution:
        """All aggregates, as shown and stored."""
        values = {name.replace(".", "_"): self.value(name) for name in (*PER_MILLE, "min", "mean", "max")}
        infinite = tuple(name for name, value in values.items() if value is not None and math.isinf(value))
        shown = {name: None if name in infinite else value for name, value in values.items()}
        return Distribution(n=self.n, infinite=infinite, **shown)


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `n`."""

    hits: int
    n: int

    @classmethod
    def pooled(cls, parts: Iterable[Share]) -> Share:
        chosen = list(parts)
        return cls(sum(part.hits for part in chosen), sum(part.n for part in chosen))

    @property
    def ratio(self) -> float | None:
        """A fraction; None of nothing."""
        return self.hits / self.n if self.n else None

    def value(self, aggregate: str | None = None) -> float | None:
        """Per cent."""
        return 100 * self.hits / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class JitterSummary:
    """RFC 3550 jitter in ms over `n` updates: its maximum, its sum, and the worst stream's last."""

    n: int = 0
    maximum: float = 0.0
    total: float = 0.0
    last: float = 0.0

    @classmethod
    def pooled(cls, parts: Iterable[JitterSummary]) -> JitterSummary:
        """In the order of the sessions: `last` is the latest session's."""
        chosen = [part for part in parts if part.n]
        if not chosen:
            return cls()
        return cls(
            sum(part.n for part in chosen),
            max(part.maximum for part in chosen),
            sum(part.total for part in chosen),
            chosen[-1].last,
        )

    def value(self, aggregate: str | None) -> float | None:
        if self.n == 0:
            return None
        return {"max": self.maximum, "mean": self.total / self.n, "last": self.last}[str(aggregate)]

    def to_json(self) -> dict[str, float | None]:
        return {name: self.value(name) for name in ("max", "mean", "last")}


def pooled(parts: list[Any]) -> Any:
    """The pool of parts of one kind; there is at least one."""
    return type(parts[0]).pooled(parts)
