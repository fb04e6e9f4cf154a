"""The list of stored runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from rich.text import Text

from probe.records import Json
from probe.report.grid import Column, Grid
from probe.report.header import EMULATED, EMULATED_STYLE, title_of
from probe.report.numbers import NO_DATA
from probe.report.words import verdict_word
from probe.store.reader import RunInfo

SCHEMA_VERSION = 1


def runs_table(runs: Iterable[RunInfo]) -> Grid:
    """A row a run, oldest first."""
    grid = Grid(
        [
            Column("run", left=True),
            Column("started (UTC)", left=True, drop=1),
            Column("country", left=True),
            Column("sessions"),
            Column("verdict", left=True),
            Column("remarks", left=True),
        ]
    )
    for run in runs:
        verdict = Text(NO_DATA) if run.verdict is None else verdict_word(run.verdict).text()
        country = run.country or NO_DATA
        title = title_of(run.title)
        grid.add(
            run.run_id,
            run.started_at[:19].replace("T", " "),
            f"{title} ({country})" if title else country,
            str(run.sessions),
            verdict,
            _remarks(run),
        )
    return grid


def runs_document(runs: Iterable[RunInfo]) -> Json:
    """As the table; a run without a verdict was killed, or is still going."""
    return {"schema_version": SCHEMA_VERSION, "runs": [asdict(run) for run in runs]}


def _remarks(run: RunInfo) -> Text:
    remarks = [Text(EMULATED, style=EMULATED_STYLE)] if run.emulated else []
    if not run.complete:
        remarks.append(Text("incomplete", style="yellow"))
    return Text(", ").join(remarks)
