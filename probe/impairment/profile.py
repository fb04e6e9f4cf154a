"""What a network does to packets, one direction at a time: netem's model, and what goes beyond it.

Units are nanoseconds, bits per second and bytes; ratios are fractions of one. Every refusal is a
`ValueError` of one sentence that says what to change, so that a reader of profile files only has to add
the place.
"""

from __future__ import annotations

from dataclasses import dataclass

from probe.impairment.course import Delivery, Outage, Timeline
from probe.impairment.events import (
    DISTRIBUTIONS,
    MAX_JITTER_NS,
    Chance,
    Distribution,
    Reorder,
    Slot,
    Table,
    check_distribution,
)
from probe.impairment.losses import FourState, GilbertElliott, Loss, LossProcess, probability

__all__ = [
    "CLEAN",
    "DISTRIBUTIONS",
    "MAX_JITTER_NS",
    "UDP_OVERHEAD_BYTES",
    "Chance",
    "Delivery",
    "Distribution",
    "FourState",
    "GilbertElliott",
    "Impairment",
    "Loss",
    "LossProcess",
    "NetworkProfile",
    "Outage",
    "Reorder",
    "Slot",
    "Table",
    "Timeline",
]

UDP_OVERHEAD_BYTES = 42
"""Ethernet (14) + IPv4 (20) + UDP (8): netem counts a packet's length at layer 2, we are handed its UDP payload."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """One direction of a link, in netem's terms.

    `delay_ns` and `jitter_ns` are mean and spread of the delay line (for `uniform` the half width, for
    the tables the sigma); `ordered` keeps packets in order as access links do: a packet waits for the
    one before it. `jitter_correlation` is that of the delays of successive packets; `delay_correlation` is
    netem's figure of that name, which has no effect there or here.
    `rate_bps` serialises packets behind the delay line, counting `overhead_bytes` on top
    of the UDP payload, in cells of `cell_bytes` with `cell_overhead_bytes` each if there are any.
    `queue_ns` is the longest a packet may wait for its turn there (None: endless); `limit_packets` is
    netem's limit instead, which counts all packets inside, also in the delay line.
    `timeline` replaces everything else over time, step by step; its first condition is the one given here.
    """

    delay_ns: int = 0
    jitter_ns: int = 0
    distribution: Distribution = "normal"
    ordered: bool = True
    loss: LossProcess | None = None
    rate_bps: int | None = None
    queue_ns: int | None = None
    overhead_bytes: int = UDP_OVERHEAD_BYTES
    cell_bytes: int = 0
    cell_overhead_bytes: int = 0
    limit_packets: int | None = None
    duplicate: Chance | None = None
    corrupt: Chance | None = None
    reorder: Reorder | None = None
    slot: Slot | None = None
    jitter_correlation: float = 0.0
    delay_correlation: float = 0.0
    outages: tuple[Outage, ...] = ()
    delivery: Delivery | None = None
    timeline: Timeline | None = None

    def __post_init__(self) -> None:
        self._check_delay()
        self._check_rate()
        self._check_order()
        self._check_course()

    def _check_delay(self) -> None:
        if self.delay_ns < 0:
            raise ValueError(f"a delay of {self.delay_ns / 1e6:g} ms is impossible: give 0 ms or more")
        if not 0 <= self.jitter_ns <= MAX_JITTER_NS:
            raise ValueError(f"a jitter of {self.jitter_ns / 1e6:g} ms is impossible: give 0 ms to 2147 ms")
        check_distribution(self.distribution)
        probability(self.jitter_correlation, "a jitter correlation")
        probability(self.delay_correlation, "a correlation")
        if self.jitter_correlation == 1.0:
            raise ValueError("a jitter correlation of 100 % never changes the delay: give less, or no jitter")
        if self.jitter_correlation and self.delay_correlation:
            raise ValueError(
                "netem's correlation and the jitter correlation are two models: give one of them"
            )
        if (self.jitter_correlation or self.delay_correlation) and not self.jitter_ns:
            raise ValueError("a correlation of delays that do not vary means nothing: give a jitter")

    def _check_rate(self) -> None:
        if self.rate_bps is not None and self.rate_bps < 8:
            raise ValueError(f"a rate of {self.rate_bps} bit/s is impossible: give 8 bit/s or more")
        if self.queue_ns is not None and self.queue_ns < 0:
            raise ValueError(f"a queue of {self.queue_ns / 1e6:g} ms is impossible: give 0 ms or more")
        limited = self.rate_bps is not None or self.delivery is not None
        if self.queue_ns is not None and not limited:
            raise ValueError("a queue without a rate never fills: give a rate, or leave the queue out")
        if self.rate_bps is not None and self.delivery is not None:
            raise ValueError("a trace is the rate: leave `rate` or the trace out")
        if self.limit_packets is not None and self.limit_packets < 1:
            raise ValueError(f"a limit of {self.limit_packets} packets is impossible: give 1 or more")
        if self.limit_packets is not None and self.queue_ns is not None:
            raise ValueError("`queue` and `limit` bound the same queue: give one of them")
        if self.overhead_bytes < 0:
            raise ValueError(
                f"headers of {self.overhead_bytes} bytes are impossible: an overhead leaves out all of a packet's "
                f"{UDP_OVERHEAD_BYTES} bytes of headers at most"
            )
        if self.cell_bytes < 0 or self.cell_bytes + self.cell_overhead_bytes < 0:
            raise ValueError("a cell of less than no bytes is impossible: give 0 or more")
        if (self.cell_bytes or self.cell_overhead_bytes) and self.rate_bps is None:
            raise ValueError("cells without a rate take no time: give a rate, or leave the cells out")

    def _check_order(self) -> None:
        if self.ordered:
            if self.reorder is not None and not (self.delay_ns or self.rate_bps or self.timeline):
                raise ValueError(
                    "packets overtake others that wait: give a delay longer than the time between packets, "
                    "or leave `reorder` out"
                )
            return
        if self.rate_bps is not None or self.delivery is not None:
            raise ValueError(
                "a rate sends packets one after the other: leave `ordered: false` or the rate out"
            )
        if self.slot is not None:
            raise ValueError("slots send packets in their order: leave `ordered: false` or the slot out")
        if self.reorder is not None and not self.delay_ns:
            raise ValueError("packets overtake others that wait: give a delay, or leave `reorder` out")

    def _check_course(self) -> None:
        kinds = [outage.kind for outage in self.outages]
        if len(set(kinds)) != len(kinds):
            raise ValueError("there can be one kind of outages that drop and one that hold, no more")
        if not self.ordered and "hold" in kinds:
            raise ValueError("held packets leave in their order: leave `ordered: false` or the holds out")
        if self.timeline is None:
            return
        if self.delivery is not None:
            raise ValueError("a trace and a time line both say how the rate changes: give one of them")
        for step in self.timeline.steps:
            inner = step.impairment
            if inner.timeline is not None or inner.delivery is not None or inner.outages:
                raise ValueError(
                    "a step of a time line is one condition: no time line, trace or outages in it"
                )
            same = ("ordered", "overhead_bytes", "cell_bytes", "cell_overhead_bytes", "slot")
            if any(getattr(inner, name) != getattr(self, name) for name in same):
                raise ValueError("order, overhead, cells and slots stay the same in all steps of a time line")
            if step.outage == "hold" and not self.ordered:
                raise ValueError("held packets leave in their order: leave `ordered: false` or the hold out")

    @property
    def clean(self) -> bool:
        """Whether packets pass unchanged and at once."""
        if self.timeline is not None:
            return all(step.impairment.clean and not step.outage for step in self.timeline.steps)
        chances = (self.loss, self.duplicate, self.corrupt)
        return not (
            self.delay_ns
            or self.jitter_ns
            or self.rate_bps
            or self.slot
            or self.outages
            or self.delivery
            or any(chance.ratio for chance in chances if chance is not None)
        )

    @property
    def overtaking(self) -> bool:
        """Whether packets can leave in another order than they came."""
        return not self.ordered or self.reorder is not None


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
