"""The day of a node, hour by hour of its own wall clock: where the evening shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from probe.analysis.admission import CONTROL, Examined
from probe.analysis.cells import NODE, group
from probe.analysis.delay import median
from probe.analysis.results import NodeDay
from probe.records import Json, SessionRecord

METRIC, AGGREGATE = "rtt", "p95"
PEAK = "peak"


def windows_of(manifest: Json) -> Mapping[str, tuple[int, int]]:
    """Minutes after midnight from which to which each window of the run's plan is open."""
    plan = (manifest.get("plan") or {}).get("plan") or {}
    return {
        name: (_minutes(window["start"]), _minutes(window["end"]))
        for name, window in (plan.get("windows") or {}).items()
    }


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)


def hours_in_words(window: tuple[int, int]) -> str:
    """`19-23 h`, `18:30-22 h`."""
    return "-".join(f"{at // 60}:{at % 60:02}" if at % 60 else str(at // 60) for at in window) + " h"


def days_of_nodes(
    sessions: Iterable[Examined], windows: Mapping[str, tuple[int, int]]
) -> tuple[NodeDay, ...]:
    """Of every vendor's node that has a round trip to show."""
    chosen = [s for s in sessions if s.record.role != CONTROL and s.objection is None]
    peak = tuple(_open(windows.get(PEAK), hour) for hour in range(24))
    found = []
    for (vendor, node), mine in group(chosen, NODE).items():
        by_hour: dict[int, list[float]] = {}
        for session in mine:
            values: Any = session.summary.values.get(METRIC)
            value = None if values is None else values.value(AGGREGATE)
            if value is not None:
                by_hour.setdefault(_hour(session.record, windows), []).append(value)
        medians = {hour: median(np.array(values)) for hour, values in by_hour.items()}
        if medians:
            shown = tuple(medians[h] if math.isfinite(medians.get(h, math.nan)) else None for h in range(24))
            counts = tuple(len(by_hour.get(hour, ())) for hour in range(24))
            lost = tuple(sorted(hour for hour, value in medians.items() if math.isinf(value)))
            found.append(NodeDay(vendor, node, shown, counts, peak, lost))
    return tuple(found)


def _hour(record: SessionRecord, windows: Mapping[str, tuple[int, int]]) -> int:
    """An emulated session has the hour its window opens at: it was measured at any time of day."""
    if record.emulated and record.window in windows:
        return windows[record.window][0] // 60 % 24
    return int(record.local_time[11:13])


def _open(window: tuple[int, int] | None, hour: int) -> bool:
    if window is None:
        return False
    start, end = window
    minute = 60 * hour + 30
    return start <= minute < end if start < end else minute >= start or minute < end
