"""What loss recovery did for one direction, and what it cost: plain frozen values.

lost + late = recovered + residual          at each deadline, and `recovered` is the sum over remedies
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from probe.records import Json

RESIDUAL = 0.01
"""The share that `required_buffer` may leave unplayable."""


@dataclass(frozen=True, slots=True)
class AtDeadline:
    """Packets of one direction at one playout deadline; `n` is the population."""

    deadline_ns: int
    n: int
    lost: int
    late: int
    recovered_by: Mapping[str, int]

    @property
    def recovered(self) -> int:
        """Lost or late, and playable thanks to a repair."""
        return sum(self.recovered_by.values())

    @property
    def residual(self) -> int:
        """Not playable."""
        return self.lost + self.late - self.recovered

    @property
    def residual_ratio(self) -> float | None:
        """None of nothing."""
        return self.residual / self.n if self.n else None

    def to_json(self) -> Json:
        counts = ("n", "lost", "late", "recovered", "recovered_by", "residual", "residual_ratio")
        return {"deadline_ms": self.deadline_ns / 1e6} | {name: getattr(self, name) for name in counts}


@dataclass(frozen=True, slots=True)
class Repairs:
    """`scheduled` is at the scenario's deadline over the whole direction, `sweep` over what settled.

    `buffer_ms`: the smallest playout buffer above the minimum delay that leaves at most RESIDUAL unplayable; may be
    infinite, None without packets. `overhead_ratio`: bytes sent by bytes of media, None where the sender did not tell.
    """

    scheduled: AtDeadline
    sweep: tuple[AtDeadline, ...]
    buffer_ms: float | None
    overhead_ratio: float | None

    def to_json(self) -> Json:
        infinite = self.buffer_ms is not None and math.isinf(self.buffer_ms)
        return {
            "recovered_by": dict(self.scheduled.recovered_by),
            "deadlines": [row.to_json() for row in self.sweep],
            "required_buffer": {
                "residual_ratio": RESIDUAL,
                "ms": None if infinite else self.buffer_ms,
                "infinite": infinite,
            },
            "overhead_ratio": self.overhead_ratio,
        }
