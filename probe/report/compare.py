"""`probe compare`: rankings in words, then every difference with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from rich.console import RenderableType
from rich.text import Text

from probe.analysis.compare import (
    ALL,
    BETTER,
    IMPROVED,
    NOT_REGRESSED,
    NOT_TOLD_APART,
    REGRESSED,
    TOO_FEW,
    WORSE,
    Comparison,
    Row,
)
from probe.analysis.ranking import Place, rankings
from probe.records import Json
from probe.report.grid import Column, Grid
from probe.report.header import EMULATED, EMULATED_STYLE
from probe.report.numbers import difference, plural, quantity
from probe.report.peak_reasons import window_name
from probe.report.words import INCONCLUSIVE, Word

SCHEMA_VERSION = 1

_WORDS = {
    BETTER: Word("✓", "better", "green"),
    WORSE: Word("✗", "worse", "red"),
    NOT_TOLD_APART: Word("=", "not told apart", "cyan"),
    TOO_FEW: Word("?", "not enough data", "cyan"),
    REGRESSED: Word("✗", "regressed", "red"),
    IMPROVED: Word("✓", "improved", "green"),
    NOT_REGRESSED: Word("✓", "not regressed", "green"),
}
_METHOD = (
    "Paired: same scenario, network, window, transport and turn. Median of the differences with its signed-rank"
    " interval (Hodges-Lehmann); the intervals of one metric hold together at 95 %, metrics each for themselves."
    " Of fewer than 6 local days the sessions are counted, and the interval speaks of these hours only."
)


def comparison_document(found: Comparison, orders: Json) -> Json:
    """`orders`: of each run, the random order in which its sessions were measured, where it was kept."""
    ranked = [
        {
            "metric": metric,
            "window": window,
            "places": [place.to_json() for place in places],
            "sentence": ranking_sentence(places),
        }
        for (metric, window), places in _ranked(found).items()
    ]
    told = {
        name: [told_row(row) for row in getattr(found, name)] for name in ("vendors", "changes", "relative")
    }
    document = {"schema_version": SCHEMA_VERSION, **found.to_json(), "ranking": ranked, "order": orders}
    for name, sentences in told.items():
        document[name] = [
            row | {"sentence": text} for row, text in zip(document[name], sentences, strict=True)
        ]
    return document


def comparison_report(found: Comparison, *, quiet: bool = False) -> Iterator[RenderableType]:
    """Headings and tables; `quiet`: the rankings in words alone."""
    for (metric, window), places in _ranked(found).items():
        yield Text.assemble((f"{metric} ({_window(window)}): ", "bold"), ranking_sentence(places))
    if quiet:
        return
    mark = f"  {EMULATED}" if found.emulated else ""
    sections = (
        ("Vendor against vendor, in the same minutes", found.vendors, "second against first"),
        (f"Against the run {found.runs[0]}", found.changes, "later against the first run"),
        (f"Beyond what changed for {found.reference}", found.relative, "change less the reference's"),
    )
    for title, rows, what in sections:
        if rows:
            yield Text("")
            yield Text.assemble((title, "bold"), (mark, EMULATED_STYLE), (f" ({what})", "dim"))
            yield _table(rows)
    yield Text(_METHOD, style="dim")


def ranking_sentence(places: Sequence[Place]) -> str:
    """`alpha (61.0 ms) is ahead of beta (243.1 ms) by 182.1 ms [170.2, 195.0]; beta and gamma ...`"""
    told = [_step(before, place) for before, place in pairwise(places)]
    return "; ".join(told) + "." if told else "nothing to rank."


def _step(before: Place, place: Place) -> str:
    row = place.behind
    if row is None:
        return f"{before.vendor} and {place.vendor} have no minutes in common"
    if row.verdict == TOO_FEW:
        return (
            f"{_named(before, row)} and {_named(place, row)} cannot be ranked yet: {row.units} of the"
            f" {plural(row.min_units, row.counted_in)} that an interval needs"
        )
    if row.verdict == NOT_TOLD_APART:
        return (
            f"{_named(before, row)} and {_named(place, row)} cannot be told apart"
            f" ({_interval(row, flip=row.second.vendor != place.vendor)}, {_counted(row)})"
        )
    ahead, other = (before, place) if place.rank > before.rank else (place, before)
    by = _interval(row, flip=row.second.vendor != other.vendor)
    although = ", although its median is not" if _value_of(ahead) > _value_of(other) else ""
    told = f"{_named(ahead, row)} is ahead of {_named(other, row)} by {by.lstrip('+')}, {_counted(row)}"
    return told + although


def _value_of(place: Place) -> float:
    return math.inf if place.value is None else place.value


def told_row(row: Row) -> str:
    """One sentence for a row."""
    sides = f"{_side(row, 'second')} against {_side(row, 'first')}"
    what = f"{row.metric} of {sides} ({_window(row.window)})"
    if row.verdict == TOO_FEW:
        needed = plural(row.min_units, row.counted_in)
        return f"{what}: {row.units} of the {needed} that an interval needs."
    beyond = "" if row.margin is None else f"; what counts is more than {difference(row.margin, row.unit)}"
    return f"{what}: {_word(row).word}, {_interval(row)} over {_counted(row)}{beyond}."


def _table(rows: Sequence[Row]) -> Grid:
    columns = [
        Column("metric", left=True, label=1),
        Column("window", left=True),
        Column("first", left=True),
        Column("second", left=True),
        Column("first\nvalue", drop=2),
        Column("second\nvalue", drop=2),
        Column("difference"),
        Column("n"),
        Column("verdict", left=True),
    ]
    grid = Grid(columns)
    for row in rows:
        word = _word(row)
        grid.add(
            row.metric,
            row.window,
            _side(row, "first"),
            _side(row, "second"),
            *(_value(row, name) for name in ("first_value", "second_value")),
            _interval(row),
            _counted(row),
            word.text(),
        )
    return grid


def _ranked(found: Comparison) -> dict[tuple[str, str], list[Place]]:
    """Against a reference alone there is no order of all."""
    return rankings(found.vendors) if found.reference is None else {}


def _window(name: str) -> str:
    return "all windows" if name == ALL else window_name(name).removeprefix("the ")


def _word(row: Row) -> Word:
    return _WORDS.get(row.verdict, INCONCLUSIVE)


def _side(row: Row, name: str) -> str:
    side = getattr(row, name)
    if name == "first":
        return "itself before" if row.first.vendor == row.second.vendor else str(side.vendor)
    return f"{side.vendor} in {side.run}" if side.run else str(side.vendor)


def _named(place: Place, row: Row) -> str:
    return f"{place.vendor} ({quantity(place.value, row.unit, infinite=place.infinite)})"


def _value(row: Row, name: str) -> str:
    return quantity(getattr(row, name), row.unit, infinite=name in row.infinite)


def _counted(row: Row) -> str:
    return plural(row.units, row.counted_in if row.counted_in == "day" else "pair")


def _interval(row: Row, *, flip: bool = False) -> str:
    """`+182.1 ms [170.2, 195.0]`; of the first less the second where `flip`."""
    ends = [(row.low, "low"), (row.high, "high")]
    if flip:
        ends.reverse()
    shown = [_signed(row, value, name, flip=flip) for value, name in ends]
    middle = _signed(row, row.shift, "shift", flip=flip)
    unknown = any(value is None and name not in row.infinite for value, name in ends)
    return middle if unknown else f"{middle} [{', '.join(text.split(' ')[0] for text in shown)}]"


def _signed(row: Row, value: float | None, name: str, *, flip: bool) -> str:
    turned = -value if flip and value is not None else value
    return difference(turned, row.unit, infinite=name in row.infinite, signed=True)
