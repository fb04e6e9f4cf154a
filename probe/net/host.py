"""What happened to this host while something was measured: its clock stepped, its processor was taken away, its
kernel dropped packets before a socket got them."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from probe.net.clock import LINUX, wall_offset

_STAT, _SOFTNET = Path("/proc/stat"), Path("/proc/net/softnet_stat")
_STEAL = 7  # the eighth number of /proc/stat's first line, proc_stat(5)
_OWN_TIMES = 8  # the ones after it are part of the first two


class HostWatch:
    """From its making on until `facts`."""

    def __init__(self) -> None:
        self._offset_ns = wall_offset().offset_ns
        self._times = _processor_times()
        self._backlog = _backlog_drops()

    def facts(self) -> dict[str, float | None]:
        """`clock_step_ms`: how far the wall clock moved against the monotonic one; `steal_ratio`: share of
        processor time that a hypervisor gave to others; `backlog_dropped`: packets of whatever traffic that the
        kernel had no time for (net.core.netdev_max_backlog). None where the system does not tell."""
        pairs = zip(_processor_times(), self._times, strict=False)
        passed: list[int] = [now - then for now, then in pairs]
        told = len(passed) == _OWN_TIMES and sum(passed) > 0
        before, after = self._backlog, _backlog_drops()
        return {
            "clock_step_ms": (wall_offset().offset_ns - self._offset_ns) / 1e6,
            "steal_ratio": passed[_STEAL] / sum(passed) if told else None,
            "backlog_dropped": None if before is None or after is None else after - before,
        }


def process_cpu_ns(pid: int) -> int | None:
    """Processor time that a process of ours has used so far; None where the system does not tell."""
    if not LINUX:
        return time.process_time_ns() if pid == os.getpid() else None
    with suppress(OSError):  # clock_getcpuclockid(3): the clock's number is made of the process's
        return time.clock_gettime_ns(~pid << 3 | 2)
    return None


def _processor_times() -> list[int]:
    """Ticks of all processors together, by what they were spent on; empty where there is no /proc."""
    with suppress(OSError, ValueError):
        name, *times = _STAT.read_text().partition("\n")[0].split()
        if name == "cpu":
            return [int(ticks) for ticks in times[:_OWN_TIMES]]
    return []


def _backlog_drops() -> int | None:
    """The second column of /proc/net/softnet_stat, of all processors."""
    with suppress(OSError, ValueError, IndexError):
        lines = _SOFTNET.read_text().splitlines()
        return sum(int(line.split()[1], 16) for line in lines)
    return None
