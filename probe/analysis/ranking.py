"""Vendors in order, metric by metric; who cannot be told apart shares a rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from probe.analysis.compare import BETTER, WORSE, Row
from probe.records import Json


@dataclass(frozen=True, slots=True)
class Place:
    """`value` is the vendor's median over its pairs; `rank` counts from 1; `behind` is the row against the one before."""

    vendor: str
    value: float | None
    infinite: bool
    rank: int
    behind: Row | None

    def to_json(self) -> Json:
        behind = None if self.behind is None else self.behind.to_json()
        names = ("vendor", "value", "infinite", "rank")
        return {name: getattr(self, name) for name in names} | {"behind": behind}


def rankings(rows: Sequence[Row]) -> dict[tuple[str, str], list[Place]]:
    """By metric and window, best first, of rows that compare every vendor with every other."""
    keys = dict.fromkeys((row.metric, row.window) for row in rows)
    return {key: _ranking([row for row in rows if (row.metric, row.window) == key]) for key in keys}


def _ranking(rows: Sequence[Row]) -> list[Place]:
    levels: dict[str, list[float]] = {}
    for row in rows:
        for vendor, value, name in (
            (row.first.vendor, row.first_value, "first_value"),
            (row.second.vendor, row.second_value, "second_value"),
        ):
            known = math.inf if name in row.infinite else value
            if known is not None:
                levels.setdefault(vendor, []).append(known)
    middle = {vendor: sorted(values)[len(values) // 2] for vendor, values in levels.items()}
    won = {vendor: sum(_apart(row, other) for row, other in _against(rows, vendor)) for vendor in middle}
    lost = {vendor: sum(_apart(row, vendor) for row, _ in _against(rows, vendor)) for vendor in middle}
    places: list[Place] = []
    # Pairs first: a vendor measured in bad minutes only has a worse median and may yet be the better one.
    for vendor in sorted(middle, key=lambda name: (lost[name] - won[name], middle[name], name)):
        value, behind, rank = middle[vendor], None, 1
        if places:
            last = places[-1]
            behind = _between(rows, last.vendor, vendor)
            apart = behind is not None and _apart(behind, vendor)
            rank = len(places) + 1 if apart else last.rank
        infinite = math.isinf(value)
        places.append(Place(vendor, None if infinite else value, infinite, rank, behind))
    return places


def _against(rows: Sequence[Row], vendor: str) -> list[tuple[Row, str]]:
    """The rows of a vendor, each with its other side."""
    named = [(row, row.first.vendor, row.second.vendor) for row in rows]
    return [
        (row, second if first == vendor else first)
        for row, first, second in named
        if vendor in (first, second)
    ]


def _between(rows: Sequence[Row], one: str, other: str) -> Row | None:
    return next((row for row in rows if {row.first.vendor, row.second.vendor} == {one, other}), None)


def _apart(row: Row, behind: str) -> bool:
    """Whether the row shows that vendor `behind` is the worse of the two."""
    return row.verdict == (WORSE if row.second.vendor == behind else BETTER)
