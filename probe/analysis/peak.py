"""Evening peak against off-peak, for each node and metric, paired by the node's local date.

The change is the Hodges-Lehmann shift of the daily differences with its signed-rank interval, the ratio the
same of their logarithms. Where the days have no pairs, but enough days of each window, the two samples are
compared as they are (Mann-Whitney, two-sample Hodges-Lehmann), and the row says `unpaired`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from probe.analysis.admission import CONTROL, Examined
from probe.analysis.cells import PEAK_CELL, group, matches, packets, pool, unresolved, why_nothing
from probe.analysis.delay import Floats
from probe.analysis.evening import OFFPEAK, PEAK, Days, days_of
from probe.analysis.paired import Shift, paired_shift, unpaired_shift
from probe.analysis.results import DEGRADED, INCONCLUSIVE, NOT_DEGRADED, PeakRow, Poolable
from probe.objectives import METRICS, Evidence, find_metric
from probe.records import Json

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

    `shift` and `ratio` are Hodges-Lehmann's over days, with `low` to `high` and `ratio_low` to `ratio_high`
    (None of too few days). `objection` says why no verdict can be given. `paired`: by day.
    """

    peak: float | None
    offpeak: float | None
    shift: float | None
    ratio: float | None
    days: int
    n_peak: int
    n_offpeak: int
    objection: Json | None
    low: float | None = None
    high: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    paired: bool = True

    def more_days(self, limit: float, *, by_ratio: bool = False) -> Json:
        """How many more evenings would bring the interval off `limit`, if the change stays as it is."""
        names = ("ratio", "ratio_low", "ratio_high") if by_ratio else ("shift", "low", "high")
        value, low, high = (getattr(self, name) for name in names)
        if None in (value, low, high) or value == limit or not math.isfinite(value):
            return {"unit": "never"}
        half = high - value if value < limit else value - low
        times = (half / abs(value - limit)) ** 2
        if not math.isfinite(times) or times > MOST_TIMES:
            return {"unit": "never"}
        return {"unit": "evening", "n": max(1, math.ceil(self.days * (times - 1) - 1e-9))}


MOST_TIMES = 100.0


def least_days(evidence: Evidence) -> int:
    """Days the plan asks for, but never fewer than the signed-rank interval needs: 6 at 95 %."""
    return max(evidence.min_days, math.ceil(1 - math.log2(1 - evidence.confidence) - 1e-9))


def compare(
    sessions: Sequence[Examined], metric: str, aggregate: str | None, evidence: Evidence
) -> Comparison:
    """Compare the windows over the sessions of one cell, of this run and of earlier ones."""
    heard = [session for session in sessions if session.objection is None]
    windows = {name: [s for s in heard if s.record.window == name] for name in (PEAK, OFFPEAK)}
    pools = {name: pool(chosen, metric) for name, chosen in windows.items()}
    value = {name: None if p is None else p.value(aggregate) for name, p in pools.items()}
    counts = {name: 0 if p is None else p.n for name, p in pools.items()}
    days, needed = days_of(windows, metric, aggregate), least_days(evidence)
    paired = days.paired >= needed or min(len(days.all_peak), len(days.all_offpeak)) < needed
    shift, ratio, number = _changes(days, evidence.confidence, paired=paired)
    objection = _missing(windows) or _valueless(windows, value, metric)
    if objection is None and number < needed:
        missing = needed - number
        objection = {"code": "too_few_days", "days": number, "min_days": needed, "missing": missing}
    for name in (PEAK, OFFPEAK):
        objection = objection or _too_little(name, windows[name], pools[name], metric, aggregate, evidence)
    return Comparison(
        value[PEAK],
        value[OFFPEAK],
        _difference(value[PEAK], value[OFFPEAK]) if shift is None else shift.value,
        _quotient(value[PEAK], value[OFFPEAK]) if ratio is None else _exp(ratio.value),
        number,
        counts[PEAK],
        counts[OFFPEAK],
        objection,
        None if shift is None else shift.low,
        None if shift is None else shift.high,
        None if ratio is None or ratio.low is None else _exp(ratio.low),
        None if ratio is None or ratio.high is None else _exp(ratio.high),
        paired,
    )


def _changes(days: Days, confidence: float, *, paired: bool) -> tuple[Shift | None, Shift | None, int]:
    """The shift, the shift of the logarithms, and the days behind both."""
    if not paired:
        peak, offpeak = days.all_peak, days.all_offpeak
        with np.errstate(divide="ignore"):
            ratio = unpaired_shift(np.log(peak), np.log(offpeak), confidence)
        return unpaired_shift(peak, offpeak, confidence), ratio, min(len(peak), len(offpeak))
    known = ~(np.isinf(days.peak) & np.isinf(days.offpeak))
    peak, offpeak = days.peak[known], days.offpeak[known]
    if len(peak) == 0:
        return None, None, 0
    return paired_shift(peak - offpeak, confidence), _ratios(peak, offpeak, confidence), len(peak)


def _ratios(peak: Floats, offpeak: Floats, confidence: float) -> Shift | None:
    """None where a day has nothing in both windows: 0/0 is no ratio."""
    if ((peak == 0) & (offpeak == 0)).any():
        return None
    with np.errstate(divide="ignore"):
        return paired_shift(np.log(peak) - np.log(offpeak), confidence)


def _exp(value: float) -> float:
    return math.inf if value > 700 else math.exp(value)


def _quotient(peak: float | None, offpeak: float | None) -> float | None:
    """Peak divided by off-peak; infinite over zero, undefined for two zeros or two infinities."""
    if peak is None or offpeak is None or (peak == offpeak == 0):
        return None
    if math.isinf(peak) and math.isinf(offpeak):
        return None
    return peak / offpeak if offpeak else math.inf


def _difference(peak: float | None, offpeak: float | None) -> float | None:
    if peak is None or offpeak is None or (math.isinf(peak) and math.isinf(offpeak)):
        return None
    return peak - offpeak


def _missing(windows: dict[str, list[Examined]]) -> Json | None:
    missing = [name for name, chosen in windows.items() if not chosen]
    if len(missing) == 2:
        return {"code": "outside_windows"}
    return {"code": "window_missing", "window": missing[0]} if missing else None


def _valueless(
    windows: dict[str, list[Examined]], value: dict[str, float | None], metric: str
) -> Json | None:
    for name, sessions in windows.items():
        if value[name] is None:
            return why_nothing(metric, sessions) | {"window": name}
    return None


def _too_little(
    window: str,
    sessions: list[Examined],
    values: Poolable | None,
    metric: str,
    aggregate: str | None,
    evidence: Evidence,
) -> Json | None:
    if values is None:
        return None
    if not METRICS[metric].per_session and (n := packets(sessions, metric)) < evidence.min_packets:
        return {"code": "too_few_packets", "n": n, "min_packets": evidence.min_packets, "window": window}
    found = unresolved(values, metric, aggregate, evidence.confidence)
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
    verdict, reason = verdict_of(found, unit)
    names = ("peak", "offpeak", "shift", "ratio", "low", "high", "ratio_low", "ratio_high")
    values = {key: getattr(found, key) for key in names}
    infinite = tuple(key for key, value in values.items() if value is not None and math.isinf(value))
    shown = {key: None if key in infinite else value for key, value in values.items()}
    vendor, node, scenario, network, transport = cell
    return PeakRow(
        vendor=vendor,
        node=node,
        scenario=scenario,
        network=network,
        transport=transport,
        peak=shown["peak"],
        offpeak=shown["offpeak"],
        shift=shown["shift"],
        ratio=shown["ratio"],
        low=shown["low"],
        high=shown["high"],
        ratio_low=shown["ratio_low"],
        ratio_high=shown["ratio_high"],
        metric=name,
        unit=unit,
        days=found.days,
        n_peak=found.n_peak,
        n_offpeak=found.n_offpeak,
        verdict=verdict,
        reason=reason,
        infinite=infinite,
        paired=found.paired,
    )


def verdict_of(found: Comparison, unit: str) -> tuple[str, Json]:
    """Degraded when the whole interval is beyond the margin, not degraded when it is wholly within."""
    if found.objection is not None:
        return INCONCLUSIVE, found.objection
    if found.shift is None or found.offpeak is None or found.low is None or found.high is None:
        return INCONCLUSIVE, {"code": "both_infinite"}
    least = margin(unit, found.offpeak)
    if found.low > least:
        return DEGRADED, {"code": "beyond_margin", "margin": least}
    if found.high < least:
        return NOT_DEGRADED, {"code": "within_margin", "margin": least}
    return INCONCLUSIVE, {"code": "straddles_margin", "margin": least, "more": found.more_days(least)}
