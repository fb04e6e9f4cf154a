"""How well this process measured: lateness, stalls, stamps, drops."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.methods.running import Running
from probe.methods.schedule import SECOND_NS
from probe.metrics import NEVER, Stamp
from probe.net.clock import WallClock, monotonic_ns
from probe.net.host import HostWatch


class LoopWatch:
    """A packet loop seen from inside, from its first packet on: whether it ran when it meant to."""

    def __init__(self, wall: WallClock) -> None:
        """`wall` is looked at each second, also while no packet comes: a step forth and back shows, too."""
        self.stall_ns = 0
        """The longest time for which the loop, awake or due to wake, did not come round."""
        self._host, self._wall = HostWatch(), wall
        self._look_ns = 0
        self._begun_ns, self._begun_cpu_ns = monotonic_ns(), time.process_time_ns()

    def woke(self, meant_ns: int, now_ns: int) -> None:
        """Take one wait that should have ended at `meant_ns`; an early end (a packet came) says nothing."""
        self.stall_ns = max(self.stall_ns, now_ns - meant_ns)
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + SECOND_NS
            self._wall.look()

    def worked(self, since_ns: int, now_ns: int) -> None:
        """Take one pass of the loop, which does not wait for anything."""
        self.stall_ns = max(self.stall_ns, now_ns - since_ns)

    def facts(self) -> dict[str, Any]:
        """`stall_ms`, `cpu_share` (of one processor), `clock_step_ms`, `steal_ratio`, `backlog_dropped`."""
        passed_ns = max(monotonic_ns() - self._begun_ns, 1)
        facts = self._host.facts()
        step_ms = self._wall.largest_step_ns / 1e6
        return facts | {
            "stall_ms": self.stall_ns / 1e6,
            "cpu_share": (time.process_time_ns() - self._begun_cpu_ns) / passed_ns,
            "clock_step_ms": max(step_ms, facts["clock_step_ms"] or 0.0, key=abs),
        }


def quality_facts(running: Running) -> dict[str, Any]:
    """What the rows say of their own making; times in ms. `rate` is sent packets of those scheduled."""
    rows = running.rows
    sent = rows["sent_ns"] != NEVER
    late = np.sort(rows["sent_ns"][sent] - running.scheduled_ns()[sent]) / 1e6
    back = rows["received_ns"] != NEVER
    stamps = rows["stamps"]
    return {
        "lateness_n": len(late),
        "lateness_p50_ms": _rank(late, 0.5),
        "lateness_p99_ms": _rank(late, 0.99),
        "lateness_max_ms": _rank(late, 1.0),
        "rate_ratio": float(np.mean(sent)) if len(sent) else None,
        "stamps": {
            "sent": _source(stamps[sent], Stamp.SENT),
            "received": _source(stamps[back], Stamp.RECEIVED),
            "node_received": _source(stamps[back], Stamp.NODE_RECEIVED),
            "node_sent": _source(stamps[back], Stamp.NODE_SENT),
        },
    }


def _rank(ordered: NDArray[np.float64], share: float) -> float | None:
    if not len(ordered):
        return None
    return float(ordered[max(int(np.ceil(share * len(ordered))) - 1, 0)])


def _source(stamps: NDArray[np.uint8], bit: Stamp) -> str | None:
    if not len(stamps):
        return None
    kernel = (stamps & bit) != 0
    if kernel.all():
        return "kernel"
    return "mixed" if kernel.any() else "user"
