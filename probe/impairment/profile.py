"""What a network does to packets, one direction at a time: the part of netem's model that profiles set.

Units are nanoseconds, bits per second and bytes; ratios are fractions of one. Every refusal is a
`ValueError` of one sentence that says what to change, so that a reader of profile files only has to add
the place.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

Distribution = Literal["uniform", "normal", "pareto", "paretonormal"]
DISTRIBUTIONS: tuple[str, ...] = get_args(Distribution)
"""Shapes of jitter: `uniform` spreads over delay +- jitter, the others are netem's tables."""

UDP_OVERHEAD_BYTES = 42
"""Ethernet (14) + IPv4 (20) + UDP (8): netem counts a packet's length at layer 2, we are handed its UDP payload."""

MAX_JITTER_NS = 2**31 - 1
"""netem keeps jitter in a signed 32-bit number of nanoseconds."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Loss as people state it: how much, and in how long runs.

    `ratio` is the mean loss ratio; `burst` the mean number of packets lost in a row. Without `burst`
    packets are lost independently of each other, which makes runs of 1 / (1 - ratio) on average.
    """

    ratio: float
    burst: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.ratio <= 1.0:
            raise ValueError(f"a loss of {100 * self.ratio:g} % is impossible: give 0 % to 100 %")
        if self.burst is None:
            return
        if self.ratio == 1.0:
            raise ValueError("a loss of 100 % is one endless burst: leave `burst` out")
        if not isfinite(self.burst) or self.burst < self.shortest_burst * (1 - 1e-9):
            raise ValueError(
                f"a mean burst of {self.burst:g} is shorter than a loss of {100 * self.ratio:g} % allows: "
                f"independent losses already come {self.shortest_burst:.3g} in a row, so give that or more, "
                "or leave `burst` out"
            )

    @property
    def shortest_burst(self) -> float:
        """Mean run of losses when each packet is lost independently: 1 / (1 - ratio)."""
        return float("inf") if self.ratio == 1.0 else 1.0 / (1.0 - self.ratio)

    @property
    def gilbert(self) -> tuple[float, float]:
        """(p, r) of netem's `loss gemodel p r`: the chances per packet to turn bad, and good again.

        With all packets lost in the bad state and none in the good one the loss ratio is p / (p + r)
        and the mean burst 1 / r; hence r = 1 / burst and p = ratio / (burst (1 - ratio)).
        """
        if self.burst is None:
            return self.ratio, 1.0 - self.ratio
        return min(1.0, self.ratio / (self.burst * (1.0 - self.ratio))), min(1.0, 1.0 / self.burst)


@dataclass(frozen=True, slots=True)
class Impairment:
    """One direction of a link, in netem's terms.

    `delay_ns` and `jitter_ns` are mean and spread of the delay line (for `uniform` the half width, for
    the tables the sigma); `ordered` keeps packets in order as access links do: a packet waits for the
    one before it. `rate_bps` serialises packets behind the delay line, counting `overhead_bytes` on top
    of the UDP payload; `queue_ns` is the longest a packet may wait for its turn there (None: endless).
    """

    delay_ns: int = 0
    jitter_ns: int = 0
    distribution: Distribution = "normal"
    ordered: bool = True
    loss: Loss | None = None
    rate_bps: int | None = None
    queue_ns: int | None = None
    overhead_bytes: int = UDP_OVERHEAD_BYTES

    def __post_init__(self) -> None:
        if self.delay_ns < 0:
            raise ValueError(f"a delay of {self.delay_ns / 1e6:g} ms is impossible: give 0 ms or more")
        if not 0 <= self.jitter_ns <= MAX_JITTER_NS:
            raise ValueError(f"a jitter of {self.jitter_ns / 1e6:g} ms is impossible: give 0 ms to 2147 ms")
        if self.distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"the delay distribution {self.distribution!r} is unknown: give one of {', '.join(DISTRIBUTIONS)}"
            )
        if self.rate_bps is not None and self.rate_bps < 8:
            raise ValueError(f"a rate of {self.rate_bps} bit/s is impossible: give 8 bit/s or more")
        if self.queue_ns is not None and self.queue_ns < 0:
            raise ValueError(f"a queue of {self.queue_ns / 1e6:g} ms is impossible: give 0 ms or more")
        if self.queue_ns is not None and self.rate_bps is None:
            raise ValueError("a queue without a rate never fills: give a rate, or leave the queue out")
        if self.rate_bps is not None and not self.ordered:
            raise ValueError(
                "a rate sends packets one after the other: leave `ordered: false` or the rate out"
            )
        if self.overhead_bytes < 0:
            raise ValueError(f"an overhead of {self.overhead_bytes} bytes is impossible: give 0 or more")

    @property
    def clean(self) -> bool:
        """Whether packets pass unchanged and at once."""
        return not (self.delay_ns or self.jitter_ns or self.rate_bps or (self.loss and self.loss.ratio))


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """A named network: what it does on the way up (client to node) and down, and where the numbers are from."""

    name: str
    title: str
    up: Impairment
    down: Impairment
    source: str

    @property
    def clean(self) -> bool:
        """Whether neither direction does anything."""
        return self.up.clean and self.down.clean


CLEAN = NetworkProfile("clean", "No impairment", Impairment(), Impairment(), "definition")
