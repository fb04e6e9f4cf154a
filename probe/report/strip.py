"""The day of each node as a strip of 24 hours, the evening peak shaded and underlined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from probe.analysis.results import NodeDay
from probe.report.numbers import INFINITE, quantity

TITLE = "The day, by the node's own clock (p95 round trip)"
BARS = "▁▂▃▄▅▆▇█"
EMPTY = "·"
_SHADE = "on grey23"


def strip(days: Sequence[NodeDay]) -> Iterator[Text]:
    """A scale of hours, a line a node, and where the peak is; all bars of one scale, from 0."""
    if not days:
        return
    names = [f"{day.vendor}/{day.node}" for day in days]
    width = max(map(len, names))
    most = max((value for day in days for value in day.values if value is not None), default=0.0)
    yield Text(" " * (width + 2) + "".join(f"{hour:<6}" for hour in range(0, 24, 6)).rstrip(), style="dim")
    for name, day in zip(names, days, strict=True):
        line = Text(f"{name:<{width}}  ")
        for hour in range(24):
            line.append(_bar(day, hour, most), style=_SHADE if day.peak[hour] else "")
        line.append(f"  {_range(day)}", style="dim")
        yield line
    if any(days[0].peak):
        below = "".join("▔" if peak else " " for peak in days[0].peak).rstrip()
        yield Text(f"{'':<{width}}  {below} evening peak", style="dim")


def _bar(day: NodeDay, hour: int, most: float) -> str:
    if hour in day.infinite:
        return INFINITE
    value = day.values[hour]
    if value is None:
        return EMPTY
    return bar(value, most)


def bar(value: float, most: float) -> str:
    """The bar of a value on a scale from 0 to `most`."""
    return BARS[min(len(BARS) - 1, int(value / most * len(BARS)))] if most else BARS[0]


def _range(day: NodeDay) -> str:
    known = [value for value in day.values if value is not None]
    if not known:
        return INFINITE
    low, high = min(known), max(known)
    return quantity(high, "ms") if low == high else f"{quantity(low, 'ms')} to {quantity(high, 'ms')}"
