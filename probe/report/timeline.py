"""`probe report RUN --timeline`: delay, loss and goodput over time, drawn for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import RenderableType
from rich.text import Text

from probe.analysis.results import Assessment, SessionSummary
from probe.analysis.timeline import Timeline, timelines
from probe.report import labels
from probe.report.header import heading
from probe.report.loss import DOWN, UP
from probe.report.strip import BARS
from probe.store.sessions import StoredSession

TITLE = "Over time"
ROWS = 6
MARGIN = 12
MOST_BINS, LEAST_BINS = 120, 20
_WAYS = {"up": UP, "down": DOWN}


def drawings(assessment: Assessment, stored: Sequence[StoredSession], width: int) -> Iterator[RenderableType]:
    """A drawing a direction of every session with an outage, else of all; one scale for one network.

    `width`: columns of the terminal.
    """
    summaries = labels.in_order(assessment.sessions)
    chosen = [one for one in summaries if one.outages] or [one for one in summaries if one.counts["sent"]]
    rows = {session.record.index: session for session in stored}
    bins = max(LEAST_BINS, min(MOST_BINS, width - MARGIN - 2))
    for _, group in groupby(chosen, key=_comparable):
        drawn = [
            (one, timelines(rows[one.record.index].record, rows[one.record.index].rows, bins))
            for one in group
        ]
        lines = [line for _, found in drawn for line in found]
        top = max((value for line in lines for value in line.delay_ms if value is not None), default=1.0)
        for one, found in drawn:
            for line in found:
                yield Text("")
                yield _title(one, line, assessment)
                yield from drawing(line, top, one)


def _comparable(session: SessionSummary) -> tuple[str, ...]:
    record = session.record
    return record.vendor, record.node, record.scenario, record.network, record.window


def _title(session: SessionSummary, line: Timeline, assessment: Assessment) -> Text:
    text = heading(f"{labels.one_line(session.record)}  {_WAYS[line.way]}", assessment)
    text.append(f"  worst delay above the smallest, of each {line.bin_ms / 1000:.2g} s", style="not bold dim")
    return text


def drawing(line: Timeline, top_ms: float, session: SessionSummary | None = None) -> Iterator[Text]:
    """Delay as columns up to `top_ms`, then loss and goodput as strips, the outages, and the time."""
    for row in range(ROWS, 0, -1):
        name = f"{top_ms:.0f} ms" if row == ROWS else "0 ms" if row == 1 else ""
        cells = "".join(_part(value, top_ms, row) for value in line.delay_ms)
        yield Text(f"{name:>{MARGIN - 2}} ┤{cells}".rstrip())
    yield _strip("lost", [_bar(share, 1.0) for share in line.missing], "red")
    if any(line.unsent):
        yield _strip("not sent", ["▪" if number else " " for number in line.unsent], "yellow")
    most = max(line.arrived_bps, default=0.0)
    yield _strip("goodput", [_bar(rate, most) for rate in line.arrived_bps], "green")
    if session is not None and (marks := _outages(session, line)).strip():
        yield _strip("outage", list(marks), "magenta")
    yield Text(" " * MARGIN + _scale(line), style="dim")


def _part(value: float | None, top_ms: float, row: int) -> str:
    """The cell of a column in one of the rows, in eighths."""
    if value is None:
        return " "
    eighths = max(1, math.ceil(value / top_ms * ROWS * len(BARS))) if top_ms else 1
    left = eighths - (row - 1) * len(BARS)
    return " " if left <= 0 else BARS[min(left, len(BARS)) - 1]


def _bar(value: float, most: float) -> str:
    return " " if value <= 0 or not most else BARS[min(len(BARS) - 1, int(value / most * len(BARS)))]


def _strip(name: str, cells: Sequence[str], style: str) -> Text:
    text = Text(f"{name:>{MARGIN - 2}}  ")
    text.append("".join(cells).rstrip(), style=style)
    return text


def _outages(session: SessionSummary, line: Timeline) -> str:
    marks = [" "] * len(line.delay_ms)
    for event in session.outages:
        if event.way == line.way:
            first = int(event.started_ms // line.bin_ms)
            last = int((event.started_ms + event.length_ms) // line.bin_ms)
            for at in range(max(first, 0), min(last + 1, len(marks))):
                marks[at] = "▔"
    return "".join(marks)


def _scale(line: Timeline) -> str:
    """A time every ten columns or so, at whole seconds."""
    bins, text = len(line.delay_ms), ""
    step = max(1, math.ceil(10 * line.bin_ms / 1000))
    for second in range(0, math.ceil(bins * line.bin_ms / 1000), step):
        at = round(second * 1000 / line.bin_ms)
        if at >= len(text) and at < bins:
            text = text.ljust(at) + f"{second} s "
    return text.rstrip()
