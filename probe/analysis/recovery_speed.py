"""How soon a stream was good again after an outage or a burst of loss.

Times are the sender's clock; arrivals are counted from the smallest delay, so that no clock offset enters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from probe.analysis.delay import Indices
from probe.analysis.one_way import Mask
from probe.analysis.series import BEYOND, Series
from probe.metrics import Times

MS = 1_000_000
SUSTAINED_NS = 5_000 * MS
"""How long it must stay good to count as recovered (RFC 6412 3.1, Sustained Convergence Validation Time)."""
ROLLING_NS = 200 * MS
TOLERANCE_NS = 20 * MS


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was usual before the event: share not playable, and p95 of the delay above the smallest."""

    residual: float
    p95_ns: int


def baseline(series: Series, deadline_ns: int, until_ns: int) -> Baseline | None:
    """Of the packets sent before `until_ns`; None without any."""
    usual = series.playable_after()[: int(np.searchsorted(series.departed(), until_ns, "left"))]
    if len(usual) == 0:
        return None
    rank = -(-95 * len(usual) // 100) - 1
    residual = np.count_nonzero(usual > deadline_ns) / len(usual)
    return Baseline(residual, int(np.partition(usual, rank)[rank]))


@dataclass(frozen=True, slots=True)
class CatchUp:
    """From an event's end to the last arrival of a packet that it delayed or had repaired, in three parts.

    `detection_ns` is to the first arrival after it, which says that the path is back and shows the gap; `repair_ns`
    from there to the last packet that was lost and repaired; `drain_ns` from there to the last that only waited.
    """

    detection_ns: int
    repair_ns: int
    drain_ns: int

    @property
    def whole_ns(self) -> int:
        return self.detection_ns + self.repair_ns + self.drain_ns


@dataclass(frozen=True, slots=True)
class Recovery:
    """`time_to_recover_ns` is infinite if the stream was not good again within the `observed_ns` after
    the event. `catch_up` is None where it delayed nothing and nothing was repaired."""

    time_to_recover_ns: float
    observed_ns: int
    catch_up: CatchUp | None


def recover(
    series: Series,
    started_ns: int,
    ended_ns: int,
    *,
    deadline_ns: int,
    usual: Baseline,
    sustained_ns: int = SUSTAINED_NS,
    tolerance_ns: int = TOLERANCE_NS,
    path_delay_ns: int = 0,
) -> Recovery:
    """Time to recover, by time of sending: what someone who talks after the event experiences.

    The first packet from which on for `sustained_ns` no larger share than usual is unplayable, and p95
    of the delay in no 200 ms is more than `tolerance_ns` above the usual p95. Arrivals are earlier by the
    smallest delay: `path_delay_ns` is added to them where it is known, on one clock.
    """
    departed, delay = series.departed(), series.playable_after()
    limit = min(usual.p95_ns, BEYOND - tolerance_ns) + tolerance_ns
    begin = int(np.searchsorted(departed, ended_ns, "left"))
    whole = int(np.searchsorted(departed, series.end_ns - sustained_ns, "right"))
    good = _lasting(departed[begin:], delay[begin:], (limit, deadline_ns, usual.residual), sustained_ns)
    found = np.flatnonzero(good[: max(0, whole - begin)])
    recovered = int(departed[begin + found[0]]) if len(found) else None
    # What came late from the event's start until it was good again is the event's.
    touched = (departed >= started_ns) & (delay > limit) & (delay != BEYOND)
    if recovered is not None:
        touched &= departed < recovered
    return Recovery(
        time_to_recover_ns=math.inf if recovered is None else float(recovered - ended_ns),
        observed_ns=max(0, series.end_ns - ended_ns),
        catch_up=_catch_up(series, touched, ended_ns, path_delay_ns) if touched.any() else None,
    )


def _catch_up(series: Series, touched: Mask, ended_ns: int, path_delay_ns: int) -> CatchUp:
    """What was held is there at the end itself: before it, counted from the smallest delay."""
    delay = series.playable_after()
    came = delay != BEYOND
    after = (series.departed()[came] + delay[came]) - ended_ns
    touched, lost = touched[came], series.lost[came]
    whole = max(0, int(after[touched].max()) + path_delay_ns)
    first = int(after.min(where=after >= 0, initial=BEYOND - path_delay_ns)) + path_delay_ns
    detection = min(first, whole)
    repaired = int(after.max(where=touched & lost, initial=-path_delay_ns)) + path_delay_ns
    repair = max(0, min(repaired, whole) - detection)
    return CatchUp(detection, repair, whole - detection - repair)


def _lasting(departed: Times, delay: Times, limits: tuple[int, int, float], sustained_ns: int) -> Mask:
    """Whether all is as usual for `sustained_ns` from each packet on."""
    slow_ns, deadline_ns, residual = limits
    soon = np.searchsorted(departed, departed + ROLLING_NS, "left")
    later = np.searchsorted(departed, departed + sustained_ns, "left")
    here = np.arange(len(departed))
    # p95 (inverted_cdf) is beyond the limit where more than 5 % of a window's packets are.
    slow = 100 * _within(delay > slow_ns, soon) > 5 * (soon - here)
    good: Mask = _within(slow, later) == 0
    good &= _within(delay > deadline_ns, later) <= residual * (later - here)
    return good


def _within(chosen: Mask, ends: Indices) -> Indices:
    """How many are chosen from each packet to before its end."""
    total = np.r_[0, np.cumsum(chosen)]
    counted: Indices = total[ends] - total[:-1]
    return counted
