"""Two sides of a case, figure by figure: set, kernel, ours, the band that chance allows, a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

from probe.impairment.conformance import Case
from probe.impairment.nominal import nominal
from probe.impairment.observed import Figure

SIGMAS = 4.0
"""A suite of a hundred figures is then false once in a hundred runs, and with fixed seeds it is the same one."""

FLOORS = {
    "loss %": 0.01,
    "mean delay ms": 0.005,
    "largest delay ms": 0.001,
    "deviation ms": 0.005,
    "p25 ms": 0.01,
    "median ms": 0.01,
    "p99 ms": 0.05,
    "packets a slot": 0.01,
}
"""What no chance explains and nobody minds: the kernel's clock (256 ns) and the recording's steps (4 us)."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the conformance table."""

    case: str
    figure: str
    set: float | None
    kernel: float
    ours: float
    band: float

    @property
    def inside(self) -> bool:
        """Whether the two differ by no more than the band."""
        return abs(self.kernel - self.ours) <= self.band


def rows(case: Case, kernel: Mapping[str, Figure], ours: Mapping[str, Figure]) -> Iterator[Row]:
    """One for each figure of a case."""
    for name, theirs in kernel.items():
        mine = ours[name]
        if case.kind == "exact":
            band = 0.001 * abs(theirs.value)  # nothing is left to chance but the clock
        else:
            band = SIGMAS * sqrt(theirs.error**2 + mine.error**2)
        yield Row(
            case.name,
            name,
            nominal(case, name),
            theirs.value,
            mine.value,
            max(band, FLOORS.get(name, 0.0)),
        )
