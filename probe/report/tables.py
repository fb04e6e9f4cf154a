"""The report for people: header, tables, quality, verdict; the last line is the last word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from probe.analysis.results import Assessment, SessionSummary
from probe.analysis.together import together
from probe.records import Json
from probe.report import accounting, claims, latency, loss, outages, peak, quality, remedies, strip, verdict
from probe.report.forward import to_forward
from probe.report.grid import Grid
from probe.report.header import header, heading


def print_report(console: Console, assessment: Assessment, manifest: Json, *, quiet: bool = False) -> None:
    """Print everything; `quiet`: the last line alone."""
    if not quiet:
        for part in report(assessment, manifest):
            console.print(part, soft_wrap=False, highlight=False)
    console.print(verdict.overall(assessment), highlight=False)


def report(assessment: Assessment, manifest: Json) -> Iterator[RenderableType]:
    """All parts but the last line, in order, with blank lines between them."""
    yield from header(assessment, manifest)
    sessions = rows_of(assessment)
    if sessions:
        yield from _table(latency.TITLE, latency.latency(sessions), assessment)
        yield from _table(loss.TITLE, loss.loss(sessions), assessment)
    if any(remedies.has_repairs(session) for session in sessions):
        yield from _table(remedies.TITLE, remedies.remedies(sessions), assessment)
    if assessment.claims:
        yield from _table(claims.TITLE, claims.claims(assessment.claims), assessment)
    if any(session.outages for session in assessment.sessions):
        yield from _table(outages.TITLE, outages.outages(assessment.sessions), assessment)
    if assessment.peak:
        yield from _table(peak.TITLE, peak.peak(assessment.peak), assessment)
    if assessment.hours:
        yield from _lines(strip.TITLE, list(strip.strip(assessment.hours)), assessment)
    if sessions:
        yield from _table(accounting.TITLE, accounting.accounting(sessions), assessment)
        yield Text("")
        yield from quality.quality(assessment)
    if assessment.thresholds:
        yield from _table(verdict.TITLE, verdict.verdict(assessment.thresholds), assessment)
        told = [Text(line) for line in to_forward(assessment)]
        if told:
            yield from _lines("In a sentence", told, assessment)
    else:
        yield from _lines(verdict.TITLE, [Text("No threshold was judged.")], assessment)
    yield Text("")


MOST_ROWS = 60


def rows_of(assessment: Assessment) -> Sequence[SessionSummary]:
    """What the tables have a row for: each session, or each cell where sessions are too many to read."""
    sessions = assessment.sessions
    return sessions if len(sessions) <= MOST_ROWS else together(sessions)


def _table(title: str, grid: Grid, assessment: Assessment) -> Iterator[RenderableType]:
    yield from _lines(title, [grid], assessment)


def _lines(title: str, parts: Sequence[RenderableType], assessment: Assessment) -> Iterator[RenderableType]:
    yield Text("")
    yield heading(title, assessment)
    yield from parts
