"""Vendor against vendor in the same minutes, and a run against an earlier one: paired, with intervals.

Of each metric lower is better. Intervals are simultaneous over the rows of a metric (Bonferroni), not
over metrics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median
from typing import NamedTuple

from probe.analysis.admission import CONTROL, Examined
from probe.analysis.cells import Key, group
from probe.analysis.paired import paired_shift
from probe.analysis.pairing import Differences, Pair, differences, pairs, place_of, sides
from probe.analysis.peak import COMPARED, margin
from probe.objectives import find_metric
from probe.records import Json

BETTER, WORSE, NOT_TOLD_APART, TOO_FEW = "better", "worse", "not_told_apart", "too_few"
"""Verdicts on the second side against the first."""

REGRESSED, IMPROVED, NOT_REGRESSED = "regressed", "improved", "not_regressed"
"""Verdicts on a later run, beside `inconclusive` and TOO_FEW: by more than the margin of `peak.margin`."""

CONFIDENCE = 0.95

ALL = "all"
"""The window of rows over all windows."""

_FIRST = ("peak", "offpeak")
"""Windows in the order in which they are told; a plan's others follow by name."""


class Side(NamedTuple):
    """What is compared: a vendor, in all runs or in one."""

    vendor: str
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One metric in one window (or in `ALL`), `second` against `first`; all but the counts in `unit`.

    `shift` is Hodges and Lehmann's (second less first) with its interval at `confidence`; an infinite value
    is None and named in `infinite`. `margin`: the least change that counts, of comparisons in time.
    """

    metric: str
    unit: str
    first: Side
    second: Side
    window: str = ""
    first_value: float | None = None
    second_value: float | None = None
    shift: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: float = 0.0
    pairs: int = 0
    units: int = 0
    min_units: int = 0
    counted_in: str = "session"
    verdict: str = TOO_FEW
    margin: float | None = None
    infinite: tuple[str, ...] = ()

    def to_json(self) -> Json:
        document: Json = {name: getattr(self, name) for name in self.__slots__}
        sides = {"first": self.first._asdict(), "second": self.second._asdict()}
        return document | sides | {"infinite": list(self.infinite)}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`vendors`: all pairs, or each against `reference`. `changes`: later runs against the first.

    `relative`: a vendor's change less the reference's at the same places: what the network did to both is out.
    """

    runs: tuple[str, ...]
    reference: str | None
    emulated: bool
    vendors: tuple[Row, ...]
    changes: tuple[Row, ...]
    relative: tuple[Row, ...]

    def to_json(self) -> Json:
        return {
            "runs": list(self.runs),
            "reference": self.reference,
            "emulated": self.emulated,
            **{
                name: [row.to_json() for row in getattr(self, name)]
                for name in ("vendors", "changes", "relative")
            },
        }


def compare_runs(
    sessions: Sequence[Examined], runs: Sequence[str], reference: str | None = None
) -> Comparison:
    """Compare the sessions of `runs`, the first of which is the baseline. Those objected to are left out."""
    heard = [one for one in sessions if one.objection is None and one.record.role != CONTROL]
    present = {one.record.window for one in heard}
    windows = [name for name in _FIRST if name in present] + sorted(present - set(_FIRST))
    vendors: list[Row] = []
    changes: list[Row] = []
    relative: list[Row] = []
    for window in [*windows, None] if len(windows) > 1 else windows:
        chosen = [one for one in heard if window in (None, one.record.window)]
        label = window or ALL
        vendors += [replace(row, window=label) for row in _vendors(chosen, reference)]
        changes += [replace(row, window=label) for row in _changes(chosen, runs)]
        if reference:
            relative += [replace(row, window=label) for row in _relative(chosen, runs, reference)]
    rows = (tuple(sorted(found, key=_by_metric)) for found in (vendors, changes, relative))
    emulated = any(one.record.emulated for one in heard)
    return Comparison(tuple(runs), reference, emulated, *rows)


def _by_metric(row: Row) -> int:
    """The sort is stable: windows and vendors stay in their order."""
    return COMPARED.index(row.metric)


def _vendors(heard: Sequence[Examined], reference: str | None) -> list[Row]:
    found = {
        key[0]: sides(chosen, lambda one: (one.record.run_id, *place_of(one)))
        for key, chosen in group(heard, ("vendor",)).items()
    }
    chosen = [
        (first, second) if second != reference else (second, first)
        for first, second in combinations(sorted(found), 2)
        if reference in (None, first, second)
    ]
    confidence = _each(len(chosen))
    rows = []
    for name in COMPARED:
        for first, second in chosen:
            of_pair = pairs(found[first], found[second], name)
            rows.append(
                _row(name, Side(first), Side(second), differences(list(of_pair.values())), confidence)
            )
    return [row for row in rows if row.pairs]


def _changes(heard: Sequence[Examined], runs: Sequence[str]) -> list[Row]:
    found = _by_vendor_and_run(heard)
    vendors = sorted({vendor for vendor, _ in found})
    confidence = _each(len(vendors) * (len(runs) - 1))
    rows = []
    for name in COMPARED:
        for vendor in vendors:
            for later in runs[1:]:
                of_pair = _change(found, vendor, (runs[0], later), name)
                who = Side(vendor, runs[0]), Side(vendor, later)
                found_differences = differences(list(of_pair.values()))
                rows.append(_row(name, *who, found_differences, confidence, in_time=True))
    return [row for row in rows if row.pairs]


def _relative(heard: Sequence[Examined], runs: Sequence[str], reference: str) -> list[Row]:
    found = _by_vendor_and_run(heard)
    others = sorted({vendor for vendor, _ in found} - {reference})
    confidence = _each(len(others) * (len(runs) - 1))
    rows = []
    for name in COMPARED:
        for vendor in others:
            for later in runs[1:]:
                changes = _change(found, vendor, (runs[0], later), name)
                ours, theirs = (
                    _of_place(_change(found, who, (runs[0], later), name)) for who in (vendor, reference)
                )
                both = [Pair(theirs[key][0], ours[key][0], ours[key][1]) for key in ours if key in theirs]
                level = [pair.first for pair in changes.values()]
                who = Side(reference, later), Side(vendor, later)
                rows.append(_row(name, *who, differences(both), confidence, in_time=True, level=level))
    return [row for row in rows if row.pairs]


def _by_vendor_and_run(heard: Sequence[Examined]) -> dict[tuple[str, str], dict[Key, list[Examined]]]:
    return {
        (vendor, run): sides(chosen, lambda one: (one.record.node, *place_of(one)))
        for (vendor, run), chosen in group(heard, ("vendor", "run_id")).items()
    }


def _change(
    found: Mapping[tuple[str, str], dict[Key, list[Examined]]], vendor: str, runs: tuple[str, str], name: str
) -> dict[Key, Pair]:
    """By node, place and turn."""
    return pairs(found.get((vendor, runs[0]), {}), found.get((vendor, runs[1]), {}), name)


def _of_place(changes: Mapping[Key, Pair]) -> dict[Key, tuple[float, str]]:
    """The change at each place, the median over a vendor's nodes, and its day; where there is one."""
    places: dict[Key, list[Pair]] = {}
    for (_, *place), pair in changes.items():
        if not math.isinf(pair.difference):
            places.setdefault(tuple(place), []).append(pair)
    return {
        place: (median([pair.difference for pair in chosen]), chosen[0].day)
        for place, chosen in places.items()
    }


def _each(rows: int) -> float:
    """The confidence of each of so many intervals that shall hold together."""
    return 1 - (1 - CONFIDENCE) / max(rows, 1)


def _row(
    name: str,
    first: Side,
    second: Side,
    found: Differences | None,
    confidence: float,
    *,
    in_time: bool = False,
    level: Sequence[float] = (),
) -> Row:
    metric, _ = find_metric(name)
    least = math.ceil(math.log2(2 / (1 - confidence)) - 1e-9)
    if found is None:
        nothing = Row(name, metric.unit, first, second, verdict=TOO_FEW)
        return replace(nothing, confidence=confidence, min_units=least)
    shift = paired_shift(found.values, confidence)
    before = median(level) if level else found.first
    least_change = margin(metric.unit, before) if in_time else None
    if shift.low is None or shift.high is None:
        verdict = TOO_FEW
    elif least_change is None:
        verdict = WORSE if shift.low > 0 else BETTER if shift.high < 0 else NOT_TOLD_APART
    else:
        verdict = _in_time(shift.low, shift.high, least_change)
    values = (found.first, found.second, shift.value, shift.low, shift.high)
    infinite = tuple(
        key for key, value in zip(_VALUES, values, strict=True) if value is not None and math.isinf(value)
    )
    finite = {key: value for key, value in zip(_VALUES, values, strict=True) if key not in infinite}
    return Row(
        *(name, metric.unit, first, second),
        first_value=finite.get("first_value"),
        second_value=finite.get("second_value"),
        shift=finite.get("shift"),
        low=finite.get("low"),
        high=finite.get("high"),
        confidence=confidence,
        pairs=found.pairs,
        units=len(found.values),
        min_units=least,
        counted_in=found.unit,
        verdict=verdict,
        margin=least_change,
        infinite=infinite,
    )


_VALUES = ("first_value", "second_value", "shift", "low", "high")


def _in_time(low: float, high: float, least: float) -> str:
    if low > least:
        return REGRESSED
    if high < -least:
        return IMPROVED
    return NOT_REGRESSED if high <= least else "inconclusive"
