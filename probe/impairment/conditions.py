"""Which condition of a link holds when, and how fast its line is meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from math import inf

import numpy as np
from numpy.typing import NDArray

from probe.impairment.capacity import UNITS, Capacity, Constant, Deliveries, Held, Stepwise
from probe.impairment.course import Interruption, Step
from probe.impairment.draws import Seed, child
from probe.impairment.outages import OutageTimes
from probe.impairment.profile import Impairment
from probe.metrics import Times


class Start:
    """When the path's clock started: the first packet's arrival, whichever its direction."""

    def __init__(self) -> None:
        self.ns: int | None = None

    def since(self, arrival_ns: int) -> int:
        """The start; it is now if nothing has started it."""
        if self.ns is None:
            self.ns = arrival_ns
        return self.ns


class Conditions:
    """The course of one direction. Times are nanoseconds since the start."""

    def __init__(self, impairment: Impairment, seed: Seed) -> None:
        self._impairment = impairment
        self._timeline = impairment.timeline
        self._outages = {
            outage.kind: OutageTimes(outage, child(seed, place))
            for place, outage in enumerate(sorted(impairment.outages, key=lambda outage: outage.kind))
        }
        if self._timeline is not None:
            self._ends = np.cumsum([step.duration_ns for step in self._timeline.steps])

    @property
    def change(self) -> bool:
        """Whether anything depends on the time."""
        return bool(self._timeline or self._outages or self._impairment.delivery)

    @property
    def capacity(self) -> Capacity | None:
        """The line's; None where it is the same at all times."""
        found: Capacity = Constant()
        if self.in_bits:
            if self._impairment.delivery is not None:
                found = Deliveries(self._impairment.delivery)
            else:
                assert self._timeline is not None
                found = Stepwise(self._timeline)
        if "hold" in self._outages:
            return Held(found, self._outages["hold"])
        return found if self.in_bits else None

    @property
    def in_bits(self) -> bool:
        """Whether the line's speed changes over time."""
        if self._impairment.delivery is not None:
            return True
        steps = self._timeline.steps if self._timeline else ()
        return any(step.outage == "hold" or step.impairment.rate_bps for step in steps)

    def mean_rates(self, edges_ns: Times) -> NDArray[np.float64]:
        """(n,) the bit/s that the line can carry on average between n + 1 moments; infinite: no limit. Where a
        condition has no limit, or loses all, that of the first moment counts."""
        rate, capacity = self._impairment.rate_bps, self.capacity
        if capacity is None or not self.in_bits:
            working = np.diff(edges_ns if capacity is None else capacity.work(edges_ns)) / np.diff(edges_ns)
            return np.where(working > 0, working * (rate or inf), 0.0)
        bits = np.diff(capacity.work(edges_ns)) / UNITS
        rates: NDArray[np.float64] = bits * 1e9 / np.diff(edges_ns)
        if self._timeline is None:
            return rates
        steps = self._timeline.steps
        step = self.visits(edges_ns[:-1]) % len(steps)
        endless = np.array([not (each.outage or each.impairment.rate_bps) for each in steps])
        dropping = np.array([each.outage == "drop" for each in steps])
        return np.where(dropping[step], 0.0, np.where(endless[step], inf, rates))

    def visits(self, time_ns: Times) -> NDArray[np.int64]:
        """(n,) the number of the condition at each time, counted over all rounds of the time line."""
        if self._timeline is None:
            return np.zeros(len(time_ns), np.int64)
        steps = len(self._timeline.steps)
        if not self._timeline.loop:
            return np.minimum(np.searchsorted(self._ends, time_ns, "right"), steps - 1)
        rounds, within = np.divmod(time_ns, self._ends[-1])
        visits: NDArray[np.int64] = rounds * steps + np.searchsorted(self._ends, within, "right")
        return visits

    def step(self, visit: int) -> Step | None:
        """The step of the time line, if there is one."""
        if self._timeline is None:
            return None
        return self._timeline.steps[visit % len(self._timeline.steps)]

    @property
    def interrupts(self) -> bool:
        """Whether there are outages that drop."""
        return "drop" in self._outages

    def interrupted(self, time_ns: Times) -> NDArray[np.bool_]:
        """Which packets arrive in an outage that drops."""
        return self._outages["drop"].contain(time_ns)

    def interruptions(self, until_ns: int) -> list[Interruption]:
        """Every outage that has begun by then, in order."""
        found = [*self._steps_out(until_ns)]
        for kind, times in self._outages.items():
            times.extend(until_ns)
            begun = times.begin <= until_ns
            found += [
                Interruption(kind, begin, end)
                for begin, end in zip(times.begin[begun].tolist(), times.end[begun].tolist(), strict=True)
            ]
        return sorted(found, key=lambda one: one.begin_ns)

    def _steps_out(self, until_ns: int) -> Iterator[Interruption]:
        """The outages among the steps of the time line."""
        steps = self._timeline.steps if self._timeline else ()
        if self._timeline is None or not any(step.outage for step in steps):
            return
        begin_ns = 0
        for step in cycle(steps) if self._timeline.loop else steps:
            if begin_ns > until_ns:
                return
            if step.outage is not None:
                yield Interruption(step.outage, begin_ns, begin_ns + step.duration_ns)
            begin_ns += step.duration_ns

    @property
    def impairments(self) -> list[Impairment]:
        """All conditions."""
        if self._timeline is None:
            return [self._impairment]
        return [step.impairment for step in self._timeline.steps]
