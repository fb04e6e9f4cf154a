"""Runs the subjects of a comparison in turns, several rounds, each when the machine is quiet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from bench.comparison import Comparison, Effort, Outcome, Skipped

QUIET_LOAD = 0.10
"""CPUs in use by others (1 = one CPU) below which a measurement may start."""
LOAD_METRIC = "foreign_load_before"
_WINDOW_S = 0.25


def run_rounds(
    comparison: Comparison, rounds: int, effort: Effort, *, patience: float, tell: Callable[[str], None]
) -> Outcome:
    """`rounds` times each subject in turn; waits up to `patience` seconds for quiet before each."""
    outcome = Outcome(comparison)
    for number in range(rounds):
        samples = {}
        for name, subject in comparison.subjects.items():
            if name in outcome.skipped:
                continue
            load = wait_for_quiet(patience)
            tell(f"{comparison.name}: round {number + 1} of {rounds}, {name}")
            try:
                samples[name] = subject(effort) | {LOAD_METRIC: load}
            except Skipped as reason:
                outcome.skipped[name] = str(reason)
            except Exception as error:  # noqa: BLE001 (one failed measurement is a gap, not the end)
                outcome.failed.append(f"round {number + 1}, {name}: {type(error).__name__}: {error}")
        outcome.rounds.append(samples)
    return outcome


def wait_for_quiet(patience: float) -> float:
    """Return the load that others make, at once when it is low, else after `patience` seconds."""
    give_up = time.monotonic() + patience
    while True:
        load = foreign_load()
        if load <= QUIET_LOAD or time.monotonic() >= give_up:
            return load


def foreign_load(window: float = _WINDOW_S) -> float:
    """CPUs in use by all but this process, over a moment in which it has no children."""
    busy, own = busy_seconds(), time.process_time()
    time.sleep(window)
    return max(busy_seconds() - busy - (time.process_time() - own), 0.0) / window


def busy_seconds() -> float:
    """Seconds of CPU in use, of all CPUs, since boot: user, nice, system, irq, softirq, steal."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return sum(ticks[at] for at in (0, 1, 2, 5, 6, 7)) / os.sysconf("SC_CLK_TCK")
