"""How fast a lost packet's repair came: from when the original should have arrived to the repair."""

from __future__ import annotations

import numpy as np

from probe.analysis.fates import Outcome
from probe.analysis.one_way import Mask, OneWay
from probe.analysis.population import Population
from probe.metrics import NEVER, T_MAX_NS, Times

SECOND_NS = 1_000_000_000


def recovery(way: OneWay, outcome: Outcome) -> Population:
    """As `recovery_times`, as one sample."""
    times, repaired, missing = recovery_times(way, outcome)
    return Population.of_ns(times[repaired], int(np.count_nonzero(missing)))


def recovery_times(way: OneWay, outcome: Outcome) -> tuple[Times, Mask, Mask]:
    """Recovery times in ns of the lost, and of the late that a repair copy was received for; which packets
    have one; and which never came again.

    A packet should have arrived after the median delay of the packets of the same second. A repair
    later than `T_MAX_NS`, or none, is infinite (right-censored).
    """
    times = np.full(len(way.departed), NEVER)
    wanted = outcome.lost | (outcome.late & (way.repair_excess != NEVER))
    wanted &= way.departed != NEVER
    repaired = wanted & (way.repair_excess != NEVER) & (way.repair_excess <= T_MAX_NS)
    usual = _usual_excess(way, outcome.population & ~outcome.lost, repaired)
    times[repaired] = way.repair_excess[repaired] - usual
    return times, repaired, wanted & ~repaired


def _usual_excess(way: OneWay, arrived: Mask, wanted: Mask) -> Times:
    """Median excess of the arrivals of the same second as each wanted packet (of all, if it has none)."""
    excess, departed = way.excess[arrived], way.departed[arrived]
    if len(excess) == 0 or not wanted.any():
        return np.zeros(int(np.count_nonzero(wanted)), np.int64)
    origin = int(way.departed[way.departed != NEVER].min())
    of_wanted = (way.departed[wanted] - origin) // SECOND_NS
    seconds, which = np.unique(of_wanted, return_inverse=True)
    second = (departed - origin) // SECOND_NS
    step = int(excess.max()) + 1
    ordered = np.sort(second * step + excess)
    start = np.searchsorted(ordered, seconds * step)
    count = np.searchsorted(ordered, (seconds + 1) * step) - start
    low = np.minimum(start + np.maximum(count - 1, 0) // 2, len(ordered) - 1)
    high = np.minimum(start + count // 2, len(ordered) - 1)
    medians = (ordered[low] % step + ordered[high] % step) // 2
    whole = np.int64(np.median(excess))
    usual: Times = np.where(count > 0, medians, whole)[which]
    return usual
