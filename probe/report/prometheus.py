"""Prometheus text for node_exporter's textfile collector or a Pushgateway; prefix `rtcprobe_`.

Base units: seconds, and ratios from 0 to 1. Sessions of one cell are pooled: a cell is one set of labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from probe.analysis.population import pooled
from probe.analysis.results import (
    DEGRADED,
    FAIL,
    INCONCLUSIVE,
    NOT_DEGRADED,
    NOT_MEASURED,
    PASS,
    RUN_INTERRUPTED,
    Assessment,
    Judgement,
    PeakRow,
    Poolable,
    SessionSummary,
)
from probe.objectives import METRICS, Metric
from probe.records import Json
from probe.report import labels
from probe.report.exposition import Exposition
from probe.report.facts import expression_of

PREFIX = "rtcprobe_"
CELL = ("vendor", "node", "role", "isp", "city", "vantage", *labels.CELL)
FATES = ("on_time", "late", "lost_up", "lost_down", "lost_unknown", "unsent")
_SUFFIX = {"ms": ("seconds", 1e-3), "%": ("ratio", 1e-2), "": ("ratio", 1.0), "x": ("ratio", 1.0)}
_WAYS = ("up", "down")


def prometheus(assessment: Assessment, manifest: Json) -> str:
    """The run, its cells, its thresholds and its peak rows."""
    to = Exposition(PREFIX)
    _run(to, assessment, manifest)
    for cell, sessions in _cells(assessment.sessions):
        _packets(to, cell, sessions)
    for name, metric in METRICS.items():
        for cell, sessions in _cells(assessment.sessions):
            parts = [session.values[name] for session in sessions if name in session.values]
            if parts:
                _metric(to, metric, cell, pooled(parts))
    for judgement in assessment.thresholds:
        _threshold(to, judgement)
    for row in assessment.peak:
        _peak(to, row)
    return to.text()


def _run(to: Exposition, assessment: Assessment, manifest: Json) -> None:
    country = manifest.get("country") or next((s.record.country for s in assessment.sessions), "")
    where = {"country": country, "vantage": assessment.vantage}
    facts = {"run_id": assessment.run_id, **where, "emulated": assessment.emulated}
    to.add("run_info", "The run that this file tells of; emulated: no network was measured.", facts, 1)
    started = _timestamp(manifest)
    to.add("run_started_timestamp_seconds", "When the run started, Unix time.", where, started)
    to.add("run_exit_code", "0 pass, 3 not measured, 4 inconclusive, 99 fail.", where, assessment.exit_code)
    for verdict in (PASS, FAIL, INCONCLUSIVE, NOT_MEASURED, RUN_INTERRUPTED):
        to.add(
            *("run_verdict", "1 for the verdict of the run."),
            *({**where, "verdict": verdict}, int(verdict == assessment.verdict)),
        )
    to.add("run_sessions", "Sessions measured.", where, len(assessment.sessions))


def _timestamp(manifest: Json) -> float | None:
    try:
        return datetime.fromisoformat(str(manifest["started_at"])).timestamp()
    except (KeyError, ValueError):
        return None


def _cells(sessions: Sequence[SessionSummary]) -> list[tuple[Mapping[str, Any], list[SessionSummary]]]:
    cells: dict[tuple[Any, ...], list[SessionSummary]] = {}
    for session in labels.in_order(sessions):
        key = tuple(getattr(session.record, name) for name in (*CELL, "emulated"))
        cells.setdefault(key, []).append(session)
    return [(dict(zip((*CELL, "emulated"), key, strict=True)), chosen) for key, chosen in cells.items()]


def _packets(to: Exposition, cell: Mapping[str, Any], sessions: Sequence[SessionSummary]) -> None:
    for fate in FATES:
        total = sum(session.counts[fate] for session in sessions)
        to.add("packets", "Scheduled packets by what became of them.", {**cell, "fate": fate}, total)


def _metric(to: Exposition, metric: Metric, cell: Mapping[str, Any], values: Poolable) -> None:
    """`up.pdv.p95` is rtcprobe_pdv_seconds{direction="up",aggregate="p95"}."""
    way, dot, rest = metric.name.partition(".")
    name, direction = (rest, way) if dot and way in _WAYS else (metric.name, None)
    if metric.name == "loss":
        direction = "both"  # a family has the same labels in all its samples
    suffix, scale = _SUFFIX[metric.unit]
    told = f"{name.capitalize()} of a cell, lost packets counting as infinitely late."
    told = told if metric.unit == "ms" else f"{name.capitalize()} of a cell."
    for aggregate in metric.aggregates or (None,):
        value = values.value(aggregate)
        where = {**cell, "direction": direction, "aggregate": aggregate}
        to.add(f"{name}_{suffix}", told, where, None if value is None else scale * value)


def _threshold(to: Exposition, judgement: Judgement) -> None:
    suffix, scale = _SUFFIX[judgement.unit]
    where = {"expr": judgement.expr, "severity": judgement.severity, **judgement.scope}
    for verdict in (PASS, FAIL, INCONCLUSIVE, NOT_MEASURED):
        to.add(
            *("threshold_verdict", "1 for the verdict of a threshold on a cell."),
            *({**where, "verdict": verdict}, int(verdict == judgement.verdict)),
        )
    expression = expression_of(judgement)
    told = {
        **{name: _of(judgement, name) for name in ("value", "low", "high")},
        "limit": None if expression is None else expression.limit,
    }
    for name, value in told.items():
        what = _OF_THRESHOLD[name]
        to.add(f"threshold_{name}_{suffix}", what, where, None if value is None else scale * value)


def _of(judgement: Judgement, name: str) -> float | None:
    value: float | None = getattr(judgement, name)
    return math.inf if name in judgement.infinite else value


_OF_THRESHOLD = {
    "value": "Measured value that a threshold is about.",
    "low": "Lower end of the value's interval.",
    "high": "Upper end of the value's interval.",
    "limit": "Limit that the value is held against.",
}


def _peak(to: Exposition, row: PeakRow) -> None:
    suffix, scale = _SUFFIX[row.unit]
    names = ("vendor", "node", "scenario", "network", "transport", "metric")
    where = {name: getattr(row, name) for name in names}
    for verdict in (DEGRADED, NOT_DEGRADED, INCONCLUSIVE):
        to.add(
            *("peak_verdict", "1 for the verdict of the evening peak against off-peak."),
            *({**where, "verdict": verdict}, int(verdict == row.verdict)),
        )
    shift = math.inf if "shift" in row.infinite else row.shift
    to.add(
        *(f"peak_shift_{suffix}", "Evening peak less off-peak, the median over days."),
        *(where, None if shift is None else scale * shift),
    )
    to.add("peak_paired_dates", "Local dates with both windows.", where, row.days)
