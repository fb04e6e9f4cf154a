"""The worst window of a session as values that thresholds can name: `up.worst_loss_15s` and its kin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from probe.analysis.fates import Fates, Outcome
from probe.analysis.one_way import OneWay
from probe.analysis.results import Poolable
from probe.analysis.rtp_jitter import jitter_levels
from probe.analysis.series import Series, make_series
from probe.analysis.worst_windows import RESOLVING, worst_jitter, worst_loss
from probe.metrics import NEVER
from probe.records import SessionRecord

LOSS_WINDOWS = {"worst_loss_200ms": 200_000_000, "worst_loss_15s": 15_000_000_000}
JITTER_WINDOWS = {"worst_jitter_15s": 15_000_000_000}


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst window of any stream, in ms or per cent; `n` packets were looked at.

    `whole`: some stream was as long as the window. `coarse`: the worst window has too few packets for its
    ratio to be read (one loss in 200 ms at 50 packets/s is 10 % already).
    """

    n: int = 0
    worst: float | None = None
    whole: bool = False
    coarse: bool = False

    @classmethod
    def pooled(cls, parts: Iterable[Worst]) -> Worst:
        """The worst of all."""
        chosen = list(parts)
        known = [part for part in chosen if part.worst is not None]
        least = max(known, key=lambda part: part.worst or 0.0, default=cls())
        whole = any(part.whole for part in chosen)
        return cls(sum(part.n for part in chosen), least.worst, whole, least.coarse)

    def value(self, aggregate: str | None = None) -> float | None:
        return self.worst


def worst_values(record: SessionRecord, up: OneWay, down: OneWay, fates: Fates) -> dict[str, Poolable]:
    """By the metric's name in thresholds; a direction without packets has none."""
    found: dict[str, Poolable] = {}
    for name, way, outcome in (("up", up, fates.up), ("down", down, fates.down)):
        if outcome is None:
            continue
        streams = list(_streams(record, way, outcome))
        for metric, window_ns in LOSS_WINDOWS.items():
            found[f"{name}.{metric}"] = Worst.pooled(_loss(series, window_ns) for series in streams)
        for metric, window_ns in JITTER_WINDOWS.items():
            found[f"{name}.{metric}"] = Worst.pooled(_jitter(series, window_ns) for series in streams)
    return {metric: worst for metric, worst in found.items() if worst.n}


def _streams(record: SessionRecord, way: OneWay, outcome: Outcome) -> Iterator[Series]:
    chosen = np.flatnonzero(outcome.population & (way.departed != NEVER))
    ends = np.flatnonzero(np.diff(way.stream[chosen])) + 1  # rows are by stream
    interval_ns = min(record.interval_ns, round(record.duration_ns / max(record.packets, 1)))
    for rows in np.split(chosen, ends) if len(chosen) else []:
        mine = rows[np.argsort(way.departed[rows], kind="stable")]
        received = np.where(outcome.lost[mine], NEVER, way.arrived[mine])
        yield make_series(np.arange(len(mine)), way.departed[mine], received, interval_ns=interval_ns)


def _loss(series: Series, window_ns: int) -> Worst:
    found = worst_loss(series, series.lost, window_ns)
    return Worst(len(series.seq), 100 * found.ratio, _whole(series, window_ns), found.packets < RESOLVING)


def _jitter(series: Series, window_ns: int) -> Worst:
    level = worst_jitter(series.received_ns[series.order], jitter_levels(series), window_ns)
    return Worst(len(series.seq), None if level is None else level / 1e6, _whole(series, window_ns))


def _whole(series: Series, window_ns: int) -> bool:
    """A packet's time short of the window still counts as the window."""
    return series.end_ns - int(series.sent_ns[0]) >= window_ns - series.interval_ns
