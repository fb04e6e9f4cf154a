"""Evening peak against off-peak, for each node and metric, paired by the node's local date."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from probe.analysis.admission import CONTROL, Examined
from probe.analysis.cells import PEAK_CELL, group, matches, packets, pool, unresolved, why_nothing
from probe.analysis.delay import median
from probe.analysis.results import DEGRADED, INCONCLUSIVE, NOT_DEGRADED, PeakRow, Poolable
from probe.objectives import METRICS, Evidence, find_metric
from probe.records import Json

PEAK, OFFPEAK = "peak", "offpeak"
COMPARED = (
    "rtt.p95",
    *(f"{way}.{name}" for name in ("pdv.p95", "loss", "residual", "recovery.p95") for way in ("up", "down")),
    "connect.p50",
    "handshake.p50",
)
"""The metrics of the peak table."""

MARGINS = {"ms": (10.0, 0.10), "%": (0.3, 0.50)}
"""A change counts beyond both: so much, and this share of the off-peak value."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric in both windows; values in the metric's unit, possibly infinite, None without data.

    `shift` is the median over days of the daily differences. `objection` says why no verdict can be given.
    """

    peak: float | None
    offpeak: float | None
    shift: float | None
    days: int
    n_peak: int
    n_offpeak: int
    objection: Json | None

    @property
    def ratio(self) -> float | None:
        """Peak divided by off-peak; infinite over zero, undefined for two zeros or two infinities."""
        if self.peak is None or self.offpeak is None or (self.peak == self.offpeak == 0):
            return None
        if math.isinf(self.peak) and math.isinf(self.offpeak):
            return None
        return self.peak / self.offpeak if self.offpeak else math.inf


def compare(
    sessions: Sequence[Examined], metric: str, aggregate: str | None, evidence: Evidence
) -> Comparison:
    """Compare the windows over the sessions of one cell, of this run and of earlier ones."""
    heard = [session for session in sessions if session.objection is None]
    windows = {name: [s for s in heard if s.record.window == name] for name in (PEAK, OFFPEAK)}
    pools = {name: pool(chosen, metric) for name, chosen in windows.items()}
    value = {name: None if p is None else p.value(aggregate) for name, p in pools.items()}
    shifts = _daily_shifts(windows, metric, aggregate)
    shift = median(np.array(shifts)) if shifts else _difference(value[PEAK], value[OFFPEAK])
    objection = _missing(windows) or next(
        (
            found
            for name in (PEAK, OFFPEAK)
            if (found := _too_little(name, windows[name], pools[name], metric, aggregate, evidence))
        ),
        None,
    )
    if objection is None and len(shifts) < evidence.min_days:
        objection = {"code": "too_few_days", "days": len(shifts), "min_days": evidence.min_days}
    counts = {name: 0 if p is None else p.n for name, p in pools.items()}
    return Comparison(
        value[PEAK], value[OFFPEAK], shift, len(shifts), counts[PEAK], counts[OFFPEAK], objection
    )


def _daily_shifts(windows: dict[str, list[Examined]], metric: str, aggregate: str | None) -> list[float]:
    by_day: dict[str, dict[str, list[Examined]]] = {}
    for name, chosen in windows.items():
        for session in chosen:
            date = session.record.local_time[:10]
            by_day.setdefault(date, {PEAK: [], OFFPEAK: []})[name].append(session)
    shifts = []
    for day in by_day.values():
        pools = [pool(day[name], metric) for name in (PEAK, OFFPEAK)]
        peak, offpeak = (None if p is None else p.value(aggregate) for p in pools)
        shift = _difference(peak, offpeak)
        if shift is not None:
            shifts.append(shift)
    return shifts


def _difference(peak: float | None, offpeak: float | None) -> float | None:
    if peak is None or offpeak is None or (math.isinf(peak) and math.isinf(offpeak)):
        return None
    return peak - offpeak


def _missing(windows: dict[str, list[Examined]]) -> Json | None:
    missing = [name for name, chosen in windows.items() if not chosen]
    if len(missing) == 2:
        return {"code": "outside_windows"}
    return {"code": "window_missing", "window": missing[0]} if missing else None


def _too_little(
    window: str,
    sessions: list[Examined],
    values: Poolable | None,
    metric: str,
    aggregate: str | None,
    evidence: Evidence,
) -> Json | None:
    if values is None or values.value(aggregate) is None:
        return why_nothing(metric, sessions) | {"window": window}
    if not METRICS[metric].per_session and (n := packets(sessions, metric)) < evidence.min_packets:
        return {"code": "too_few_packets", "n": n, "min_packets": evidence.min_packets, "window": window}
    found = unresolved(values, metric, aggregate)
    return None if found is None else found | {"window": window}


def margin(unit: str, offpeak: float) -> float:
    """The smallest change that counts, in `unit`."""
    absolute, relative = MARGINS[unit]
    return absolute if math.isinf(offpeak) else max(absolute, relative * offpeak)


def peak_rows(sessions: Sequence[Examined], history: Sequence[Examined], evidence: Evidence) -> list[PeakRow]:
    """A row for each vendor cell of this run and each metric that has a value in it.

    `history` are sessions of earlier runs; those of the same cells take part.
    """
    rows = []
    vendors = [session for session in sessions if session.record.role != CONTROL]
    for key, chosen in group(vendors, PEAK_CELL).items():
        every = [*chosen, *earlier(history, chosen)]
        for name in COMPARED:
            metric, aggregate = find_metric(name)
            values = pool(every, metric.name)
            if values is not None and values.n:
                found = compare(every, metric.name, aggregate, evidence)
                rows.append(_row(key, name, metric.unit, found))
    return rows


def earlier(history: Sequence[Examined], sessions: Sequence[Examined]) -> list[Examined]:
    """Of `history` what can be compared with the sessions of a peak cell: seen from the same place, too."""
    alike = {name: getattr(sessions[0].record, name) for name in (*PEAK_CELL, "emulated", "vantage")}
    return [session for session in history if matches(session.record, alike)]


def _row(cell: tuple[str, ...], name: str, unit: str, found: Comparison) -> PeakRow:
    verdict, reason = _verdict(found, unit)
    values = {"peak": found.peak, "offpeak": found.offpeak, "shift": found.shift, "ratio": found.ratio}
    infinite = tuple(key for key, value in values.items() if value is not None and math.isinf(value))
    shown = {key: None if key in infinite else value for key, value in values.items()}
    vendor, node, scenario, network, transport = cell
    return PeakRow(
        vendor=vendor,
        node=node,
        scenario=scenario,
        network=network,
        transport=transport,
        metric=name,
        unit=unit,
        peak=shown["peak"],
        offpeak=shown["offpeak"],
        shift=shown["shift"],
        ratio=shown["ratio"],
        days=found.days,
        n_peak=found.n_peak,
        n_offpeak=found.n_offpeak,
        verdict=verdict,
        reason=reason,
        infinite=infinite,
    )


def _verdict(found: Comparison, unit: str) -> tuple[str, Json]:
    if found.objection is not None:
        return INCONCLUSIVE, found.objection
    if found.shift is None or found.offpeak is None:
        return INCONCLUSIVE, {"code": "both_infinite"}
    least = margin(unit, found.offpeak)
    if found.shift > least:
        return DEGRADED, {"code": "beyond_margin", "margin": least}
    return NOT_DEGRADED, {"code": "within_margin", "margin": least}
