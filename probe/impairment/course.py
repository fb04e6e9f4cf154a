"""How a network changes over time: outages, sequences of conditions, and recorded delivery opportunities.

All of these count from the first packet that enters the path, in either direction. Times are nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from probe.impairment.profile import Impairment

OutageKind = Literal["drop", "hold"]
OUTAGE_KINDS: tuple[str, ...] = get_args(OutageKind)

OPPORTUNITY_BYTES = 1504
"""What a line of a mahimahi trace lets through: an MTU and the four bytes of its tunnel's header."""

DELIVERY_OVERHEAD_BYTES = 32
"""What mahimahi counts on top of a UDP payload: IPv4 (20), UDP (8), its tunnel's header (4)."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Interruptions that come again and again: `drop` loses what arrives in one, `hold` keeps it until the end.

    A handover holds: nothing is lost, everything comes at once afterwards. From the end of one to the begin
    of the next `every_ns` passes, each lasts `lasts_ns`; both are (shortest, longest), drawn evenly.
    """

    kind: OutageKind
    every_ns: tuple[int, int]
    lasts_ns: tuple[int, int]

    def __post_init__(self) -> None:
        if self.kind not in OUTAGE_KINDS:
            raise ValueError(
                f"the outage kind {self.kind!r} is unknown: give one of {', '.join(OUTAGE_KINDS)}"
            )
        for low, high in (self.every_ns, self.lasts_ns):
            if not 0 < low <= high:
                raise ValueError("an outage comes and lasts for more than 0 ms, the shortest time first")


@dataclass(frozen=True, slots=True)
class Interruption:
    """One outage as it was drawn or is due, on the clock of whoever carries the packets."""

    kind: OutageKind
    begin_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Course:
    """What happened to one direction over time: its outages, and the least delay of a packet in it."""

    interruptions: tuple[Interruption, ...] = ()
    least_delay_ns: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One condition of a time line and how long it holds; `outage` stops all traffic instead."""

    duration_ns: int
    impairment: Impairment
    outage: OutageKind | None = None

    def __post_init__(self) -> None:
        if self.duration_ns <= 0:
            raise ValueError("a step of a time line takes more than 0 ms")
        if self.outage is not None and self.outage not in OUTAGE_KINDS:
            raise ValueError(
                f"the outage kind {self.outage!r} is unknown: give one of {', '.join(OUTAGE_KINDS)}"
            )


@dataclass(frozen=True, slots=True)
class Timeline:
    """Conditions one after the other; at the end again from the begin (`loop`), or the last one stays."""

    steps: tuple[Step, ...]
    loop: bool = True

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("a time line has at least one step")
        if self.steps[-1].outage == "hold" and (not self.loop or all(step.outage for step in self.steps)):
            raise ValueError(
                "a time line that ends holding never lets its packets go: end it with a condition"
            )

    @property
    def period_ns(self) -> int:
        """The sum of the steps."""
        return sum(step.duration_ns for step in self.steps)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A recorded link as mahimahi writes it: milliseconds at which `OPPORTUNITY_BYTES` could pass.

    Played in a loop, as mahimahi does, or once; after the end of a single run nothing is delivered any more.
    """

    name: str
    opportunities_ms: tuple[int, ...]
    loop: bool = True

    def __post_init__(self) -> None:
        previous = 0
        for number, when in enumerate(self.opportunities_ms, 1):
            if when < previous:
                raise ValueError(
                    f"the trace {self.name} goes back in time at its {number}. opportunity: "
                    f"{when} ms after {previous} ms"
                )
            previous = when
        if previous == 0:
            raise ValueError(f"the trace {self.name} has no opportunity after 0 ms: it has no length")

    @property
    def period_ns(self) -> int:
        """The length: the last opportunity."""
        return self.opportunities_ms[-1] * 1_000_000

    @property
    def rate_bps(self) -> float:
        """The mean rate of one run."""
        return len(self.opportunities_ms) * OPPORTUNITY_BYTES * 8e9 / self.period_ns
