"""What `probe store` tells: sentences, and tables by hour and by vantage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text

from probe.analysis.intervals import Interval
from probe.analysis.vantages import Place, VantageRow
from probe.records import Json
from probe.report.grid import Column, Grid
from probe.report.header import EMULATED, EMULATED_STYLE
from probe.report.numbers import INFINITE, NO_DATA, milliseconds, percent, plural
from probe.store.check import DAMAGE, REPAIRABLE, Checked
from probe.store.copying import Imported
from probe.store.hours import Hour
from probe.store.recatalogue import Catalogued
from probe.store.tidying import Tidied

SCHEMA_VERSION = 1


def tidied_sentences(done: Tidied) -> list[str]:
    """What `probe store compact` did; at least one sentence."""
    told = []
    if done.histograms_rebuilt:
        told.append(f"Made {plural(done.histograms_rebuilt, 'missing histogram')} from packets.")
    if done.dropped.sessions:
        told.append(
            f"Removed {plural(done.dropped.packets, 'packet record')} of "
            f"{plural(done.dropped.sessions, 'session')} that were older than keep_raw; "
            "their histograms and documents stay."
        )
    if done.files_written or done.files_removed:
        files = plural(done.files_written, "compacted file")
        told.append(f"Wrote {files}, removed {plural(done.files_removed, 'file')}.")
    if done.leftovers:
        told.append(f"Removed {plural(done.leftovers, 'temporary file')} of killed processes.")
    if done.waiting or done.dropped.waiting:
        told.append("Somebody is reading: what is superseded or too old stays until the next time.")
    return told or ["Nothing to do: the store is compact."]


def imported_sentence(done: Imported, source: Path) -> str:
    """What `probe store import` did."""
    if not (done.segments or done.histograms or done.documents):
        return f"Nothing new in {source}: all of it is here."
    return (
        f"Imported {plural(len(done.runs), 'new run')}, {plural(done.segments, 'segment')}, "
        f"{plural(done.histograms, 'histogram file')} and {plural(done.documents, 'document')} from {source}; "
        f"{done.known} were here already."
    )


def catalogued_sentences(done: Catalogued) -> list[str]:
    """What `probe store catalogue` found in the folders."""
    runs, sessions = plural(done.runs, "run"), plural(done.sessions, "session")
    segments, histograms = plural(done.segments, "segment"), plural(done.histograms, "histogram")
    told = [f"Catalogued {runs}, {sessions}, {segments} and {histograms}, {done.bytes / 1e6:.1f} MB."]
    if done.left_out:
        damaged = plural(done.left_out, "folder")
        told.append(f"Left out, with something damaged in it: {damaged}. probe store check says what.")
    return told


def checked_sentences(found: Checked) -> list[str]:
    """A sentence a finding, and last what was read."""
    marks = {DAMAGE: "damaged", REPAIRABLE: "to repair"}
    told = [f"{marks.get(finding.kind, 'remark')}: {finding.sentence}" for finding in found.findings]
    damaged = sum(finding.kind == DAMAGE for finding in found.findings)
    repairable = sum(finding.kind == REPAIRABLE for finding in found.findings)
    read = (
        f"Read {plural(found.packets, 'packet')} of {plural(found.sessions, 'session')} in "
        f"{plural(found.runs, 'run')}, {plural(found.files, 'file')}"
    )
    if not damaged and not repairable:
        return [*told, f"{read}: all is well."]
    hint = "; probe store check --repair or probe store compact mends what can be" if repairable else ""
    return [*told, f"{read}: {damaged} damaged, {repairable} to repair{hint}."]


def checked_document(found: Checked) -> Json:
    """As the sentences."""
    findings = [
        {"kind": finding.kind, "sentence": finding.sentence, "path": finding.path and str(finding.path)}
        for finding in found.findings
    ]
    counts = {name: getattr(found, name) for name in ("runs", "sessions", "packets", "files")}
    return {"schema_version": SCHEMA_VERSION, **counts, "findings": findings}


def done_document(done: Any) -> Json:
    """What a command did, by its own names."""
    return {"schema_version": SCHEMA_VERSION, **asdict(done)}


def hours_table(rows: Iterable[Hour]) -> Grid:
    """A row an hour of the nodes' own day."""
    heads = ("packets", "lost %", "rtt p50\nms", "p95\nms", "p99\nms")
    columns = [
        Column("country", left=True, label=1),
        Column("vendor", left=True, label=1),
        Column("local\nhour"),
    ]
    grid = Grid([*columns, *map(Column, heads)])
    for row in rows:
        vendor = Text(row.vendor)
        if row.emulated:
            vendor.append(f" {EMULATED}", style=EMULATED_STYLE)
        values = (row.p50_ms, row.p95_ms, row.p99_ms)
        grid.add(
            row.country,
            vendor,
            f"{row.local_hour:02}",
            str(row.n),
            percent(row.lost / row.n),
            *(milliseconds(value, infinite=value is None) for value in values),
        )
    return grid


def hours_document(rows: Iterable[Hour], *, exact: bool) -> Json:
    """Percentiles that lie among the lost are null, and named in `infinite`."""
    names = ("p50_ms", "p95_ms", "p99_ms")
    told = [
        asdict(row) | {"infinite": [name for name in names if getattr(row, name) is None]} for row in rows
    ]
    return {"schema_version": SCHEMA_VERSION, "exact": exact, "hours": told}


def vantages_table(rows: Sequence[VantageRow]) -> Grid:
    """A row for each cell and place of ours; regions side by side, each in its own zone."""
    grid = Grid(
        [
            Column("node", left=True, label=1),
            Column("zone", left=True, label=1),
            Column("measured", left=True, label=1),
            Column("from", left=True),
            Column("sessions", drop=2),
            Column("days", drop=1),
            Column("rtt p95 ms\n(median session)"),
            Column("95 % interval"),
            Column("loss %"),
            Column("above the best\nms"),
            Column("95 % interval"),
        ]
    )
    for row in rows:
        cell = row.cell
        node = Text(
            f"{cell.country} {cell.vendor}/{cell.node}" + (f" {cell.node_city}" if cell.node_city else "")
        )
        if cell.emulated:
            node.append(f" {EMULATED}", style=EMULATED_STYLE)
        grid.add(
            node,
            cell.timezone,
            f"{cell.scenario} {cell.network} {cell.window} {cell.transport}",
            place_name(row.place),
            str(row.sessions),
            str(row.days),
            _ms(row.p95_ms),
            _interval(row.interval),
            percent(row.loss_ratio),
            ""
            if row.difference is None
            else NO_DATA
            if row.difference_ms is None
            else _ms(row.difference_ms),
            "" if row.difference is None else _interval(row.difference),
        )
    grid.notes.append(
        Text(
            "An interval counts sessions, not packets, and a difference days where six were measured from both places; "
            "– is a limit that too few give, or that lies among the lost.",
            style="dim",
        )
    )
    return grid


def vantages_document(rows: Iterable[VantageRow]) -> Json:
    """Limits that are infinite, or that there are too few sessions for, are null."""
    return {"schema_version": SCHEMA_VERSION, "vantages": [_vantage(row) for row in rows]}


def place_name(place: Place) -> str:
    """`jkt-telkomsel (telkomsel, Jakarta)`."""
    facts = ", ".join(fact for fact in (place.isp, place.city) if fact)
    name = place.name or "no vantage"
    return f"{name} ({facts})" if facts else name


def _vantage(row: VantageRow) -> Json:
    return {
        **asdict(row.cell),
        "vantage": asdict(row.place),
        "sessions": row.sessions,
        "days": row.days,
        "rtt_p95_ms": _finite(row.p95_ms),
        "low": _finite(row.interval.low),
        "high": _finite(row.interval.high),
        "loss_ratio": row.loss_ratio,
        "against": row.against and row.against.name,
        "difference_ms": _finite(row.difference_ms),
        "difference_low": _finite(row.difference.low if row.difference else None),
        "difference_high": _finite(row.difference.high if row.difference else None),
        "difference_counted_in": row.counted_in,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _ms(value: float) -> str:
    return INFINITE if math.isinf(value) else milliseconds(value)


def _interval(interval: Interval) -> str:
    low, high = (NO_DATA if math.isinf(at) else milliseconds(at) for at in (interval.low, interval.high))
    return f"{low} .. {high}"
