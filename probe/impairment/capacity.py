"""How much a line can carry up to a moment, as work done since the start.

A queue in front of a line of any speed is simple in units of work: a packet's work begins when that of
the one before it is done. Where the speed changes, stops or comes in single opportunities, only the two
functions between time and work differ. Both are pure: the same for any split into batches.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from probe.impairment.course import OPPORTUNITY_BYTES, Delivery, Timeline
from probe.impairment.outages import OutageTimes
from probe.metrics import Times

UNITS = 64
"""Units of work in a bit, for lines whose speed varies."""

BOUNDLESS_BPS = 40_000_000_000
"""What stands for "no limit" between conditions that have one."""

LATEST = 2**62


class Capacity(Protocol):
    """Times are nanoseconds since the start."""

    def work(self, time_ns: Times) -> Times:
        """(n,) work that was possible up to each time; never falls."""

    def time(self, work: Times) -> Times:
        """(n,) the first time by which so much work was possible."""


class Constant:
    """One unit of work a nanosecond."""

    def work(self, time_ns: Times) -> Times:
        return time_ns

    def time(self, work: Times) -> Times:
        return work


class Stepwise:
    """The rates of a time line's conditions, one after the other."""

    def __init__(self, timeline: Timeline) -> None:
        duration = np.array([step.duration_ns for step in timeline.steps])
        rate = [
            0 if step.outage == "hold" else step.impairment.rate_bps or BOUNDLESS_BPS
            for step in timeline.steps
        ]
        self._rate = np.array(rate) * (UNITS / 1e9)
        self._begin = np.concatenate([[0], np.cumsum(duration)])
        done = np.concatenate([[0], np.cumsum(np.floor(duration * self._rate).astype(np.int64))])
        self._done = done
        self._loop = timeline.loop

    def work(self, time_ns: Times) -> Times:
        period, within = np.divmod(np.maximum(time_ns, 0), self._begin[-1])
        if not self._loop:
            period, within = np.zeros_like(time_ns), np.maximum(time_ns, 0)
        step = np.minimum(np.searchsorted(self._begin, within, "right"), len(self._rate)) - 1
        part = np.floor((within - self._begin[step]) * self._rate[step]).astype(np.int64)
        done: Times = period * self._done[-1] + self._done[step] + part
        return done

    def time(self, work: Times) -> Times:
        period, within = np.divmod(np.maximum(work - 1, 0), self._done[-1])
        if not self._loop:
            period, within = np.zeros_like(work), np.maximum(work - 1, 0)
        within = within + 1
        step = np.minimum(np.searchsorted(self._done, within, "left"), len(self._rate)) - 1
        rate = np.maximum(self._rate[step], 1e-12)
        part = np.ceil((within - self._done[step]) / rate).astype(np.int64)
        when: Times = period * self._begin[-1] + self._begin[step] + part
        return when


class Deliveries:
    """Single opportunities, each for so many bytes; what is not used is gone."""

    def __init__(self, delivery: Delivery) -> None:
        self._when = np.array(delivery.opportunities_ms, np.int64) * 1_000_000
        self._period_ns = delivery.period_ns
        self._loop = delivery.loop

    def work(self, time_ns: Times) -> Times:
        period, within = np.divmod(np.maximum(time_ns, 0), self._period_ns)
        if not self._loop:
            period, within = np.zeros_like(time_ns), np.maximum(time_ns, 0)
        passed = period * len(self._when) + np.searchsorted(self._when, within, "right")
        done: Times = passed * (OPPORTUNITY_BYTES * 8 * UNITS)
        return done

    def time(self, work: Times) -> Times:
        number = -(-work // (OPPORTUNITY_BYTES * 8 * UNITS))  # how many opportunities it takes
        period, within = np.divmod(np.maximum(number - 1, 0), len(self._when))
        if not self._loop:
            after = self._when[np.minimum(number - 1, len(self._when) - 1)]
            once: Times = np.where(number > len(self._when), LATEST, after)
            return once
        when: Times = period * self._period_ns + self._when[within]
        return when


class Held:
    """Another capacity with nothing done during outages."""

    def __init__(self, inner: Capacity, outages: OutageTimes) -> None:
        self._inner, self._outages = inner, outages

    def _missed(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Begins, ends, and (m + 1,) the work missed before each outage."""
        begin, end = self._outages.begin, self._outages.end
        missed = self._inner.work(end) - self._inner.work(begin)
        return begin, end, np.concatenate([np.zeros(1, np.int64), np.cumsum(missed)])

    def work(self, time_ns: Times) -> Times:
        self._outages.extend(int(time_ns.max(initial=0)))
        begin, end, missed = self._missed()
        # Within an outage nothing is done: it counts as its begin.
        last = np.searchsorted(begin, time_ns, "right") - 1
        held = (last >= 0) & (time_ns < end[last])
        moved = np.where(held, begin[last], time_ns)
        done: Times = self._inner.work(moved) - missed[last + 1 - held]
        return done

    def time(self, work: Times) -> Times:
        while True:
            begin, _, missed = self._missed()
            level = self._inner.work(begin) - missed[:-1]  # the work done when each outage begins
            before = np.searchsorted(level, work, "left")
            when: Times = self._inner.time(work + missed[before])
            latest = int(when.max(initial=0))
            if latest <= self._outages.known_ns or latest >= LATEST:
                return when
            self._outages.extend(latest)
