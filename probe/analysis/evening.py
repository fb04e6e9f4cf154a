"""The evening and the rest of the same local day, a value each: what the peak comparison is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from probe.analysis.admission import Examined
from probe.analysis.delay import Floats, median
from probe.analysis.population import Share, pooled
from probe.records import SessionRecord

PEAK, OFFPEAK = "peak", "offpeak"
NOON = 12


@dataclass(frozen=True, slots=True)
class Days:
    """A value a local day of each window, in order of days: of days with both (`paired`), and of all."""

    peak: Floats
    offpeak: Floats
    all_peak: Floats
    all_offpeak: Floats

    @property
    def paired(self) -> int:
        return len(self.peak)


def day_of(record: SessionRecord) -> str:
    """The node's local date; after midnight an evening is still the evening it began as."""
    local = datetime.fromisoformat(record.local_time)
    if record.window == PEAK and local.hour < NOON:
        local -= timedelta(days=1)
    return local.date().isoformat()


def days_of(windows: dict[str, list[Examined]], metric: str, aggregate: str | None) -> Days:
    """A day's value is the median of its sessions' (quality.md 4.5); of shares, their pool."""
    found: dict[str, dict[str, list[Examined]]] = {PEAK: {}, OFFPEAK: {}}
    for name, chosen in windows.items():
        for session in chosen:
            found[name].setdefault(day_of(session.record), []).append(session)
    values = {
        name: {
            day: value
            for day, sessions in sorted(days.items())
            if (value := _day_value(sessions, metric, aggregate)) is not None
        }
        for name, days in found.items()
    }
    both = [day for day in values[PEAK] if day in values[OFFPEAK]]
    return Days(
        np.array([values[PEAK][day] for day in both]),
        np.array([values[OFFPEAK][day] for day in both]),
        np.array(list(values[PEAK].values())),
        np.array(list(values[OFFPEAK].values())),
    )


def _day_value(sessions: Sequence[Examined], metric: str, aggregate: str | None) -> float | None:
    parts = [s.summary.values[metric] for s in sessions if metric in s.summary.values]
    if parts and isinstance(parts[0], Share):
        share: Share = pooled(list(parts))
        return share.value()
    per_session = [value for part in parts if (value := part.value(aggregate)) is not None]
    return median(np.array(per_session)) if per_session else None
