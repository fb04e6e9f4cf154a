"""Runs the subjects of a comparison in turns, several rounds, each when the machine is quiet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from bench.comparison import Comparison, Effort, Outcome, Sample, Skipped, Subject

QUIET_LOAD = 0.10
"""CPUs in use by others (1 = one CPU) below which a measurement may start, and is not repeated."""
LOAD_METRIC = "foreign_load"
"""CPUs in use by others during the measurement."""
_WINDOW_S = 0.25


@dataclass(frozen=True, slots=True)
class Hygiene:
    """What is done against the doings of others on the same machine."""

    patience_s: float = 5.0
    """How long to wait for quiet before a measurement."""
    repeats: int = 1
    """How often a disturbed measurement is tried again; of all tries the least disturbed one counts."""


def run_rounds(
    comparison: Comparison, rounds: int, effort: Effort, hygiene: Hygiene, tell: Callable[[str], None]
) -> Outcome:
    """`rounds` times each subject in turn."""
    outcome = Outcome(comparison)
    for number in range(rounds):
        samples = {}
        for name, subject in comparison.subjects.items():
            if name in outcome.skipped:
                continue
            tell(f"{comparison.name}: round {number + 1} of {rounds}, {name}")
            try:
                samples[name] = _measured(subject, effort, hygiene)
            except Skipped as reason:
                outcome.skipped[name] = str(reason)
            except Exception as error:  # noqa: BLE001 (one failed measurement is a gap, not the end)
                outcome.failed.append(f"round {number + 1}, {name}: {type(error).__name__}: {error}")
        outcome.rounds.append(samples)
    return outcome


def _measured(subject: Subject, effort: Effort, hygiene: Hygiene) -> Sample:
    """The least disturbed of the tries; whether it is kept does not depend on what it measured."""
    tries: list[Sample] = []
    while len(tries) <= hygiene.repeats:
        _wait_for_quiet(hygiene.patience_s)
        busy, own, start = _busy_seconds(), _own_seconds(), time.monotonic()
        sample = subject(effort)
        foreign = _busy_seconds() - busy - (_own_seconds() - own)
        tries.append(sample | {LOAD_METRIC: max(foreign, 0.0) / (time.monotonic() - start)})
        if tries[-1][LOAD_METRIC] <= QUIET_LOAD:
            break
    return min(tries, key=lambda tried: tried[LOAD_METRIC])


def _wait_for_quiet(patience_s: float) -> None:
    give_up = time.monotonic() + patience_s
    while foreign_load() > QUIET_LOAD and time.monotonic() < give_up:
        pass


def foreign_load(window_s: float = _WINDOW_S) -> float:
    """CPUs in use by all but us, over a moment in which we have no children."""
    busy, own = _busy_seconds(), _own_seconds()
    time.sleep(window_s)
    return max(_busy_seconds() - busy - (_own_seconds() - own), 0.0) / window_s


def _own_seconds() -> float:
    """Seconds of CPU that we and all children that have ended have used; a subject ends all it started."""
    return sum(use.ru_utime + use.ru_stime for use in (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)))


def _busy_seconds() -> float:
    """Seconds of CPU in use, of all CPUs, since boot: user, nice, system, irq, softirq, steal."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return sum(ticks[at] for at in (0, 1, 2, 5, 6, 7)) / os.sysconf("SC_CLK_TCK")
