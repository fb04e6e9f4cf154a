"""What a user may grant a packet loop beyond an ordinary process: scheduling class, awake processors, spinning."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from probe.net.clock import LINUX

_PRIORITY = 20
_DMA_LATENCY = Path("/dev/cpu_dma_latency")


@dataclass(frozen=True, slots=True)
class Punctuality:
    """`realtime`: SCHED_FIFO. `low_latency`: idle processors stay awake (of the whole machine, while the loop
    runs). `spin`: the last moments before a packet is due are spent looking at the clock."""

    realtime: bool = False
    low_latency: bool = False
    spin: bool = False


ORDINARY = Punctuality()
"""Nothing beyond an ordinary process."""


class Privileges:
    """Takes what `wanted` asks for and the system grants, until `drop`."""

    def __init__(self, wanted: Punctuality) -> None:
        self._latency_fd = -1
        self.realtime = wanted.realtime and LINUX and self._take_class()
        self.low_latency = wanted.low_latency and LINUX and self._stay_awake()
        self.spin = wanted.spin

    def granted(self) -> dict[str, bool]:
        """What the loop really has."""
        return {"realtime": self.realtime, "low_latency": self.low_latency, "spin": self.spin}

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
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        except OSError:
            return False
        return True

    def _stay_awake(self) -> bool:
        with suppress(OSError):
            self._latency_fd = os.open(_DMA_LATENCY, os.O_WRONLY)
            os.write(self._latency_fd, struct.pack("=i", 0))
            return True
        return False
