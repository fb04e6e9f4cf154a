"""Latency of each session: round trip, connecting, QUIC handshake; all in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from probe.analysis.results import Distribution, SessionSummary
from probe.report import labels
from probe.report.grid import Column, Grid
from probe.report.numbers import count, milliseconds, percent

TITLE = "Latency, ms"
PERCENTILES = ("p50", "p90", "p95", "p99")
INFINITE_NOTE = "∞: the percentile lies among packets that never arrived; they count as infinitely late."


def latency(sessions: Sequence[SessionSummary]) -> Grid:
    """A row a session. `n` is the number of packets behind the percentiles, lost ones included."""
    infinite = any(session.rtt_ms.infinite for session in sessions)
    repeated, mixed = labels.repeated(sessions), labels.mixed(sessions)
    calls = any(session.worst_call for session in sessions)
    columns = [
        *labels.COLUMNS,
        *([labels.at_column(sessions)] if repeated else []),
        Column("n"),
        *([Column("loss %")] if infinite else []),
        Column("rtt\np50"),
        Column("p90", drop=2),
        Column("p95"),
        Column("p99"),
        Column("max", drop=1),
        *([Column("p95 of\nworst call", drop=3)] if calls else []),
        Column("connect"),
        Column("handshake", drop=1),
    ]
    grid = Grid(columns)
    for session in labels.in_order(sessions):
        record, rtt = session.record, session.rtt_ms
        grid.add(
            *labels.of_session(session, mixed=mixed),
            *([labels.at(session)] if repeated else []),
            count(rtt.n),
            *([percent(session.loss_ratio)] if infinite else []),
            *(percentile(rtt, name) for name in PERCENTILES),
            milliseconds(rtt.max),
            *([_worst_call(session)] if calls else []),
            milliseconds(record.connect_ms),
            milliseconds(record.handshake_ms),
        )
    if infinite:
        grid.notes.append(Text(INFINITE_NOTE, style="dim"))
    return grid


def percentile(values: Distribution, name: str) -> str:
    """One percentile of a distribution: a number, `∞` or `–`."""
    return milliseconds(getattr(values, name), infinite=name in values.infinite)


def _worst_call(session: SessionSummary) -> str:
    worst = session.worst_call or {}
    return milliseconds(worst.get("rtt_p95_ms"), infinite="rtt_p95_ms" in worst.get("infinite", ()))
