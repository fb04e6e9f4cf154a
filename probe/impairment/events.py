"""Things that happen to single packets now and then: duplication, damage, overtaking; and when they are sent.

Ratios are fractions of one, times nanoseconds. Every refusal is a `ValueError` of one sentence that says what to
change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from probe.impairment.losses import probability

DistributionName = Literal["uniform", "normal", "pareto", "paretonormal"]
DISTRIBUTIONS: tuple[str, ...] = get_args(DistributionName)
"""Shapes of jitter: `uniform` spreads over delay +- jitter, the others are netem's tables."""

MAX_JITTER_NS = 2**31 - 1
"""netem keeps jitter in a signed 32-bit number of nanoseconds."""

MAX_TABLE = 16384


@dataclass(frozen=True, slots=True)
class Table:
    """A delay distribution of one's own: equally likely deviations from the delay, in units of jitter / 8192."""

    name: str
    values: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= MAX_TABLE:
            raise ValueError(
                f"the delay table {self.name} has {len(self.values)} values: give 1 to {MAX_TABLE}"
            )
        for value in (min(self.values), max(self.values)):
            if not -32768 <= value <= 32767:
                raise ValueError(f"the delay table {self.name} holds {value}: give -32768 to 32767")


Distribution: TypeAlias = "DistributionName | Table"


def check_distribution(distribution: object) -> None:
    """Refuse a distribution that has no table."""
    if not isinstance(distribution, Table) and distribution not in DISTRIBUTIONS:
        raise ValueError(
            f"the delay distribution {distribution!r} is unknown: give one of {', '.join(DISTRIBUTIONS)}"
        )


@dataclass(frozen=True, slots=True)
class Chance:
    """Something that happens to a share of packets. `correlation` is netem's, kept for comparisons only."""

    ratio: float
    correlation: float = 0.0

    def __post_init__(self) -> None:
        probability(self.ratio, "a share of packets")
        probability(self.correlation, "a correlation")


@dataclass(frozen=True, slots=True)
class Reorder:
    """Packets that skip delay and queue and so overtake those before them.

    `ratio` of the packets do; with `gap` N, N - 1 packets after each one never do, so that with a ratio of
    100 % every N-th does.
    """

    ratio: float
    gap: int = 1
    correlation: float = 0.0

    def __post_init__(self) -> None:
        probability(self.ratio, "reordering")
        probability(self.correlation, "a correlation")
        if self.gap < 1:
            raise ValueError(f"a reordering gap of {self.gap} is impossible: give 1 or more packets")

    @property
    def share(self) -> float:
        """Mean share of packets that overtake (without a correlation): 1 / (gap - 1 + 1 / ratio)."""
        return 0.0 if not self.ratio else 1 / (self.gap - 1 + 1 / self.ratio)


@dataclass(frozen=True, slots=True)
class Slot:
    """Packets leave in groups, as a radio scheduler grants: netem's `slot`.

    After each slot the next opens `min_ns` to `max_ns` later, or, with a `distribution`, after a delay of mean
    `min_ns` and spread `jitter_ns`. A slot sends at most `packets` and begins none beyond `bytes`
    (0: as many as wait).
    """

    min_ns: int
    max_ns: int
    packets: int = 0
    bytes: int = 0
    jitter_ns: int = 0
    distribution: Distribution | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_ns <= self.max_ns:
            raise ValueError(
                "a slot opens between min and max later: give 0 ms or more, and max not below min"
            )
        if self.max_ns == 0 and self.distribution is None:
            raise ValueError("slots that follow each other at once do nothing: give min or max above 0 ms")
        if self.packets < 0 or self.bytes < 0:
            raise ValueError("a slot cannot send fewer than no packets or bytes: give 0 or more")
        if not 0 <= self.jitter_ns <= MAX_JITTER_NS:
            raise ValueError(
                f"a slot jitter of {self.jitter_ns / 1e6:g} ms is impossible: give 0 ms to 2147 ms"
            )
        if self.distribution is None:
            if self.jitter_ns:
                raise ValueError("a slot's jitter has the shape of a distribution: give one, or min and max")
        else:
            check_distribution(self.distribution)
            if self.min_ns != self.max_ns:
                raise ValueError(
                    "a slot has min and max, or a delay with a distribution: give one of the two"
                )
