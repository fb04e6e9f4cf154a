"""Many sessions of a cell as one: all their packets pooled, for tables that would have no end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np

from probe.analysis.cells import CELL
from probe.analysis.delay import median
from probe.analysis.population import JitterSummary, Population, Share, pooled
from probe.analysis.repairs import AtDeadline, Repairs
from probe.analysis.results import Direction, Distribution, Poolable, SessionSummary

_ALIKE = (*CELL, "role", "emulated", "vantage")


def together(sessions: Iterable[SessionSummary]) -> list[SessionSummary]:
    """A summary a cell, in the order of first appearance. Connect and handshake are medians over sessions."""
    cells: dict[tuple[object, ...], list[SessionSummary]] = {}
    for session in sessions:
        cells.setdefault(tuple(getattr(session.record, key) for key in _ALIKE), []).append(session)
    return [_pooled(cell) for cell in cells.values()]


def _pooled(cell: Sequence[SessionSummary]) -> SessionSummary:
    record = replace(
        cell[0].record,
        connect_ms=_median(session.record.connect_ms for session in cell),
        handshake_ms=_median(session.record.handshake_ms for session in cell),
    )
    names = dict.fromkeys(name for session in cell for name in session.values)
    values: dict[str, Poolable] = {
        name: pooled([session.values[name] for session in cell if name in session.values]) for name in names
    }
    downs = [session.down for session in cell if session.down is not None]
    return SessionSummary(
        record,
        {name: sum(session.counts[name] for session in cell) for name in cell[0].counts},
        _distribution(values, "rtt"),
        _share(values, "loss"),
        _direction("up", [session.up for session in cell], values),
        _direction("down", downs, values) if downs else None,
        None,
        max((session.quality for session in cell), key=_badness),
        values,
        sessions=len(cell),
    )


def _badness(quality: object) -> int:
    grades = ("good", "degraded", "invalid")
    return grades.index(quality["grade"]) if isinstance(quality, dict) else 0


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(np.array(known)) if known else None


def _distribution(values: dict[str, Poolable], name: str) -> Distribution:
    found = values.get(name)
    return found.distribution() if isinstance(found, Population) else Distribution()


def _share(values: dict[str, Poolable], name: str) -> float | None:
    found = values.get(name)
    return found.ratio if isinstance(found, Share) else None


def _direction(way: str, parts: Sequence[Direction], values: dict[str, Poolable]) -> Direction:
    jitter = values.get(f"{way}.jitter")
    return Direction(
        sent=sum(part.sent for part in parts),
        lost=sum(part.lost for part in parts),
        late=sum(part.late for part in parts),
        recovered=sum(part.recovered for part in parts),
        residual=sum(part.residual for part in parts),
        loss_ratio=_share(values, f"{way}.loss"),
        residual_ratio=_share(values, f"{way}.residual"),
        recovered_ratio=_share(values, f"{way}.recovered"),
        reordered_ratio=_share(values, f"{way}.reordered"),
        recovery_ms=_distribution(values, f"{way}.recovery"),
        pdv_ms=_distribution(values, f"{way}.pdv"),
        ipdv_ms=_distribution(values, f"{way}.ipdv"),
        jitter_ms=jitter.to_json() if isinstance(jitter, JitterSummary) else {},
        duplicates=sum(part.duplicates for part in parts),
        retransmissions=sum(part.retransmissions for part in parts),
        repairs=_repairs([part.repairs for part in parts if part.repairs is not None]),
    )


def _repairs(parts: Sequence[Repairs]) -> Repairs | None:
    """Counts add up; the buffer is the worst session's, the overhead the mean."""
    if not parts:
        return None
    buffers = [part.buffer_ms for part in parts if part.buffer_ms is not None]
    overheads = [part.overhead_ratio for part in parts if part.overhead_ratio is not None]
    return Repairs(
        _at([part.scheduled for part in parts]),
        tuple(_at(rows) for rows in zip(*(part.sweep for part in parts), strict=False)),
        max(buffers, default=None),
        fmean(overheads) if overheads else None,
    )


def _at(rows: Sequence[AtDeadline]) -> AtDeadline:
    names = dict.fromkeys(name for row in rows for name in row.recovered_by)
    return AtDeadline(
        rows[0].deadline_ns,
        sum(row.n for row in rows),
        sum(row.lost for row in rows),
        sum(row.late for row in rows),
        {name: sum(row.recovered_by.get(name, 0) for row in rows) for name in names},
    )
