"""The facts of the machine that figures depend on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np

Json = dict[str, Any]

_KNOBS = {
    "clocksource": "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "cpu_idle": "/sys/devices/system/cpu/cpuidle/current_driver",
    "governor": "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "rmem_max": "/proc/sys/net/core/rmem_max",
}
_VERSIONS = {"irtt": ("irtt", "version"), "iperf3": ("iperf3", "--version"), "cc": ("cc", "--version")}


def machine_facts() -> Json:
    """Processor, kernel, clocks, and the versions of all that is compared; None for what is not there."""
    return {
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()} {platform.version()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "privileged": os.geteuid() == 0,
        **{name: _read(path) for name, path in _KNOBS.items()},
        **{name: _first_line(command) for name, command in _VERSIONS.items()},
    }


def _processor() -> str:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _first_line(command: tuple[str, ...]) -> str | None:
    if which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return (done.stdout or done.stderr).strip().split("\n", 1)[0]


def facts_in_words(facts: Json) -> str:
    """One line for the head of a table."""
    return (
        f"{facts['cpus']} x {facts['processor']}, {facts['memory_gib']} GiB, {facts['kernel'].split(' #')[0]}, "
        f"Python {facts['python']}, numpy {facts['numpy']}, on {sys.platform}"
    )
