"""Loss, recovery and variation of each session, a row a direction."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from probe.analysis.results import Direction, SessionSummary
from probe.report import labels
from probe.report.grid import Column, Grid
from probe.report.latency import INFINITE_NOTE, percentile
from probe.report.numbers import INFINITE, count, milliseconds, percent, share

TITLE = "Loss and recovery"
UP, DOWN = "↑ up", "↓ down"


def loss(sessions: Sequence[SessionSummary]) -> Grid:
    """`lost + late = recovered + residual` in every row. Times in ms, shares in per cent."""
    repeated, mixed = labels.repeated(sessions), labels.mixed(sessions)
    calls = any(session.worst_call for session in sessions)
    columns = [
        *labels.COLUMNS,
        *([labels.at_column(sessions)] if repeated else []),
        Column("way", left=True),
        Column("loss %\n(lost/sent)"),
        *([Column("worst\ncall %", drop=3)] if calls else []),
        Column("late"),
        Column("residual\n%"),
        Column("recovered\n%"),
        Column("recovery\np50 ms"),
        Column("p95 ms"),
        Column("reorder-\ned %", drop=4),
        Column("dup-\nlicates", drop=5),
        Column("pdv\np95 ms", drop=1),
        Column("jitter\nmax ms", drop=2),
    ]
    grid = Grid(columns)
    for session in labels.in_order(sessions):
        cell = labels.of_session(session, mixed=mixed)
        at = [labels.at(session)] if repeated else []
        ways = [(UP, session.up), *([(DOWN, session.down)] if session.down is not None else [])]
        for number, (name, way) in enumerate(ways):
            shown = [*cell, *at] if number == 0 else [*cell, *("" for _ in at)]
            worst = [_worst_call(session) if number == 0 else ""] if calls else []
            grid.add(*shown, name, *_cells(way, worst))
    if any(cell.plain == INFINITE for row in grid.rows for cell in row.cells):
        grid.notes.append(Text(INFINITE_NOTE, style="dim"))
    return grid


def _cells(way: Direction, worst: list[str]) -> list[str]:
    sent = way.sent > 0
    return [
        share(way.loss_ratio, way.lost, way.sent),
        *worst,
        count(way.late if sent else None),
        percent(way.residual_ratio),
        percent(way.recovered_ratio),
        percentile(way.recovery_ms, "p50"),
        percentile(way.recovery_ms, "p95"),
        percent(way.reordered_ratio),
        count(way.duplicates if sent else None),
        percentile(way.pdv_ms, "p95"),
        milliseconds(way.jitter_ms.get("max")),
    ]


def _worst_call(session: SessionSummary) -> str:
    worst = session.worst_call
    return "" if worst is None else f"#{worst['stream']}: {percent(worst['loss_ratio'])}"
