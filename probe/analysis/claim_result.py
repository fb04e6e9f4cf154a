"""What became of a claim on one node: plain frozen values with their JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probe.objectives import Claim
from probe.records import Json

HOLDS, BREAKS, UNDECIDED = "holds", "breaks", "undecided"


@dataclass(frozen=True, slots=True)
class ClaimStep:
    """One loss of the sweep: `value` from `low` to `high` in per cent, of `n` packets over `seconds`.

    `measured_loss_ratio` is what the packets really suffered, `overhead_ratio` bytes sent by bytes of media.
    `verdict` is holds, breaks or undecided; `code` why, where the value does not say.
    """

    loss_ratio: float
    measured_loss_ratio: float | None
    n: int
    seconds: int
    value: float | None
    low: float | None
    high: float | None
    overhead_ratio: float | None
    verdict: str
    code: str | None = None

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """A claim on one node, one direction. Ratios are fractions; `low` None: it breaks at the first step;
    `high` None: not up to the last. `breaks_at` is within, None where the values do not cross the criterion."""

    claim: Claim
    scope: Mapping[str, Any]
    way: str
    steps: tuple[ClaimStep, ...]
    breaks_at: float | None
    low: float | None
    high: float | None
    verdict: str
    reason: Json

    def to_json(self) -> Json:
        claim = self.claim
        return {
            "name": claim.name,
            "scope": dict(self.scope),
            "direction": self.way,
            "criterion": claim.criterion,
            "resists_ratio": claim.resists,
            "burst": claim.burst,
            "deadline_ms": claim.deadline_ns / 1e6,
            "budget": {"overhead_ratio": claim.overhead, "rate_bps": claim.rate_bps},
            "breaks_at_ratio": self.breaks_at,
            "low": self.low,
            "high": self.high,
            "steps": [step.to_json() for step in self.steps],
            "verdict": self.verdict,
            "severity": claim.severity,
            "reason": self.reason,
            "file": claim.file,
            "line": claim.line,
        }
