"""What a user may grant a packet loop beyond an ordinary process: scheduling class, awake processors, spinning."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probe.errors import NotMeasured
from probe.net.clock import LINUX

PRIORITY = 20
"""Of SCHED_FIFO: above ordinary processes, below the kernel's own threads (50)."""
DMA_LATENCY = Path("/dev/cpu_dma_latency")


@dataclass(frozen=True, slots=True)
class Punctuality:
    """`realtime`: SCHED_FIFO. `low_latency`: idle processors stay awake (of the whole machine, while the loop
    runs). `spin_ns`: at most the last so many nanoseconds before a packet is due are spent looking at the clock."""

    realtime: bool = False
    low_latency: bool = False
    spin_ns: int = 0

    def to_json(self) -> dict[str, Any]:
        return {"realtime": self.realtime, "low_latency": self.low_latency, "spin_us": self.spin_ns / 1e3}


ORDINARY = Punctuality()
"""Nothing beyond an ordinary process."""


class Privileges:
    """Takes what `wanted` asks for and the system grants, until `drop`."""

    def __init__(self, wanted: Punctuality) -> None:
        self._latency_fd = -1
        self.realtime = wanted.realtime and LINUX and self._take_class()
        self.low_latency = wanted.low_latency and LINUX and self._stay_awake()
        self.spin_ns = wanted.spin_ns

    def granted(self) -> dict[str, Any]:
        """What the loop really has."""
        return Punctuality(self.realtime, self.low_latency, self.spin_ns).to_json()

    def drop(self) -> None:
        """Be an ordinary process again."""
        if self.realtime:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        if self._latency_fd >= 0:
            os.close(self._latency_fd)
            self._latency_fd = -1
        self.realtime = self.low_latency = False

    @staticmethod
    def _take_class() -> bool:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        except OSError:
            return False
        return True

    def _stay_awake(self) -> bool:
        with suppress(OSError):
            self._latency_fd = os.open(DMA_LATENCY, os.O_WRONLY)
            os.write(self._latency_fd, struct.pack("=i", 0))
            return True
        return False


def require(wanted: Punctuality) -> None:
    """Try whether the system grants all that is asked for; raises NotMeasured, before anything is sent."""
    privileges = Privileges(wanted)
    realtime, low_latency = privileges.realtime, privileges.low_latency
    privileges.drop()
    if wanted.realtime and not realtime:
        raise NotMeasured(
            "--rt: this system does not let this user run real-time processes (SCHED_FIFO)",
            hint=REALTIME_HINT,
        )
    if wanted.low_latency and not low_latency:
        raise NotMeasured(
            f"--low-latency: {DMA_LATENCY} cannot be written to by this user", hint=LOW_LATENCY_HINT
        )


REALTIME_HINT = (
    f"allow it for this shell: sudo prlimit --pid $$ --rtprio={PRIORITY}; in a container: --ulimit "
    f"rtprio={PRIORITY} or --cap-add SYS_NICE"
)
LOW_LATENCY_HINT = f"allow it: sudo chown $USER {DMA_LATENCY}; in a container: --device {DMA_LATENCY}"
