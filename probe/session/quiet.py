"""Whether this machine is quiet enough to measure others by."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from probe.net.host import HostWatch

MAX_LOAD = 1.0
"""Load average of the last minute, a processor."""
MAX_STEAL = 0.05
"""Share of processor time that a hypervisor gave to others since the last look: as in the quality grade."""


@dataclass(slots=True)
class QuietRule:
    """Asked before each session; `limit` is a load average a processor."""

    limit: float = MAX_LOAD
    _watch: HostWatch = field(default_factory=HostWatch)

    def objection(self) -> str | None:
        """Why not now, with the numbers; None when it is quiet."""
        load = os.getloadavg()[0] / len(os.sched_getaffinity(0))
        steal = self._watch.facts()["steal_ratio"]
        self._watch = HostWatch()
        if load > self.limit:
            return f"load {load:.2f} a processor, limit {self.limit:g}"
        if steal is not None and steal > MAX_STEAL:
            return f"{100 * steal:.0f} % of processor time stolen, limit {100 * MAX_STEAL:.0f} %"
        return None
