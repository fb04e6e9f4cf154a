"""Outages and how soon each session was good again, a row an event."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from probe.analysis.event import Event
from probe.analysis.results import SessionSummary
from probe.report import labels
from probe.report.grid import Column, Grid
from probe.report.loss import DOWN, UP
from probe.report.numbers import NO_DATA, count, milliseconds

TITLE = "Outages and recovery"
_WAYS = {"up": UP, "down": DOWN}
_KINDS = {"drop": "outage", "hold": "hold", "loss": "loss run"}
_MUCH = 6


def outages(sessions: Sequence[SessionSummary]) -> Grid:
    """Of the sessions that had any; the first few of each direction."""
    repeated, mixed = labels.repeated(sessions), labels.mixed(sessions)
    grid = Grid(
        [
            *labels.COLUMNS,
            *([labels.AT_COLUMN] if repeated else []),
            Column("way", left=True),
            Column("what", left=True),
            Column("at\ns"),
            Column("length\nms"),
            Column("by loss\nms", drop=3),
            Column("by time\nms", drop=2),
            Column("recovered\nafter ms"),
            Column("caught\nup ms", drop=1),
            Column("= detection +\nrepair + drain", drop=6),
            Column("goodput\nt90 ms", drop=4),
            Column("un-\nsent", drop=5),
        ]
    )
    more = 0
    for session in labels.in_order(sessions):
        cell = labels.of_session(session, mixed=mixed)
        at = [labels.started(session.record)] if repeated else []
        shown = session.outages[:_MUCH]
        more += len(session.outages) - len(shown)
        for event in shown:
            grid.add(*cell, *at, *_cells(event))
    grid.notes.append(Text(_note(more), style="dim"))
    return grid


def _note(more: int) -> str:
    told = (
        "recovered after: from the end, until 5 s in a row are as before (residual; p95 of delay + 20 ms);"
        " >: not within what was seen. caught up: last arrival of what was delayed."
    )
    return f"{told} {more} more are in the JSON." if more else told


def _cells(event: Event) -> list[str]:
    differ = " ≠" if event.agree is False else ""
    return [
        _WAYS[event.way],
        _KINDS.get(event.kind, event.kind) + ("" if event.source == "injected" else ", seen"),
        f"{event.started_ms / 1000:.1f}",
        milliseconds(event.length_ms),
        milliseconds(event.by_loss_ms),
        milliseconds(event.by_time_ms) + differ,
        _until_good(event.time_to_recover_ms, event.observed_ms),
        milliseconds(event.catch_up_ms),
        _parts(event),
        _until_good(event.ramp_t90_ms, event.observed_ms),
        count(event.unsent),
    ]


def _parts(event: Event) -> str:
    if event.catch_up_ms is None:
        return NO_DATA
    return " + ".join(milliseconds(part) for part in (event.detection_ms, event.repair_ms, event.drain_ms))


def _until_good(value: float | None, observed_ms: float) -> str:
    if value is None:
        return NO_DATA
    return f">{milliseconds(observed_ms)}" if math.isinf(value) else milliseconds(value)
