"""Raw loss to residual, remedy by remedy, a row a direction; and what other playout deadlines would leave."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from probe.analysis.repairs import RESIDUAL, Repairs
from probe.analysis.results import Direction, SessionSummary
from probe.report import labels
from probe.report.grid import Column, Grid
from probe.report.loss import DOWN, UP
from probe.report.numbers import milliseconds, percent, quantity

TITLE = "Recovery by remedy"
_NOTE = (
    "% of packets: lost + late - recovered by each remedy = residual, at the scenario's deadline. Residual at other "
    "deadlines, and the buffer, without the stream's beginning and its last 2 s."
)


def has_repairs(session: SessionSummary) -> bool:
    """Whether there was something to recover from, or a remedy was paid for."""
    ways = [session.up, *([session.down] if session.down is not None else [])]
    protected = session.record.red > 0 or session.record.fec_k > 0
    known = all(way.repairs is not None for way in ways)
    return known and (protected or any(way.lost + way.late > 0 for way in ways))


def remedies(sessions: Sequence[SessionSummary]) -> Grid:
    """Sessions of which `has_repairs` holds. Shares in per cent of the direction's packets."""
    shown = [session for session in sessions if has_repairs(session)]
    repeated, mixed = labels.repeated(sessions), labels.mixed(sessions)
    used = [name for name in ("nack", "fec", "red", "quic") if any(_uses(one, name) for one in shown)]
    deadlines = next((way.repairs.sweep for one in shown for way in [one.up] if way.repairs), ())
    columns = [
        *labels.COLUMNS,
        *([labels.at_column(sessions)] if repeated else []),
        Column("way", left=True),
        Column("lost or\nlate %"),
        *(Column(f"- by\n{name}") for name in used),
        Column("residual\n%"),
        Column("sent /\nmedia", drop=1),
        *(
            Column(
                f"{'at ' if number == 0 else ''}{row.deadline_ns // 1_000_000}\nms",
                drop=4 if number % 2 else 3,
            )
            for number, row in enumerate(deadlines)
        ),
        Column(f"buffer ms\nfor {RESIDUAL:.0%}", drop=2),
    ]
    grid = Grid(columns)
    for session in labels.in_order(shown):
        cell = labels.of_session(session, mixed=mixed)
        at = [labels.at(session)] if repeated else []
        ways = [(UP, session.up), *([(DOWN, session.down)] if session.down is not None else [])]
        for number, (name, way) in enumerate(ways):
            head = [*cell, *at] if number == 0 else [*cell, *("" for _ in at)]
            if way.repairs is not None:
                grid.add(*head, name, *_cells(session, way, way.repairs, used))
    grid.notes.append(Text(_NOTE, style="dim"))
    return grid


def _uses(session: SessionSummary, remedy: str) -> bool:
    record = session.record
    return bool(
        {
            "nack": record.nack,
            "fec": record.fec_k,
            "red": record.red,
            "quic": "quic-stream" in record.transport,
        }[remedy]
    )


def _cells(session: SessionSummary, way: Direction, repairs: Repairs, used: Sequence[str]) -> list[str]:
    n, scheduled = way.sent, repairs.scheduled
    buffer = repairs.buffer_ms
    return [
        percent((scheduled.lost + scheduled.late) / n if n else None),
        *(percent(scheduled.recovered_by[name] / n if n and _uses(session, name) else None) for name in used),
        percent(scheduled.residual_ratio),
        quantity(repairs.overhead_ratio, "x"),
        *(percent(row.residual_ratio) for row in repairs.sweep),
        milliseconds(buffer, infinite=buffer == float("inf")),
    ]
