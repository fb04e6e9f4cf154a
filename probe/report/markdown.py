"""Markdown (GitHub's tables) for job summaries, merge requests and mails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from probe.analysis.results import Assessment, Judgement, SessionSummary
from probe.records import Json
from probe.report import labels
from probe.report.checks import interval, weightiest_first
from probe.report.facts import judgement_facts, peak_facts
from probe.report.header import EMULATED, country_of, header
from probe.report.latency import percentile
from probe.report.numbers import difference, percent, plural
from probe.report.printable import printable
from probe.report.quality import quality
from probe.report.sentences import sentence
from probe.report.verdict import overall, value_and_limit
from probe.report.words import peak_word, threshold_word

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~&$@])")


def markdown(assessment: Assessment, manifest: Json) -> str:
    """What failed comes first: a summary may be cut at its end."""
    return "".join(f"{line}\n" for line in _lines(assessment, manifest))


def _lines(assessment: Assessment, manifest: Json) -> Iterator[str]:
    emulated = f" {EMULATED}" if assessment.emulated else ""
    yield f"## {cell(country_of(assessment, manifest))}{emulated}"
    yield ""
    yield f"**{cell(overall(assessment).plain)}**"
    for line in header(assessment, manifest)[1:]:
        yield ""
        yield cell(line.plain)
    yield from _thresholds(assessment.thresholds)
    if assessment.peak:
        yield from _peak(assessment)
    if assessment.sessions:
        yield from _sessions(assessment.sessions)
    yield ""
    for text in quality(assessment):
        yield f"- {cell(text.plain.strip())}"


def _thresholds(judgements: Sequence[Judgement]) -> Iterator[str]:
    yield from ("", "### Thresholds", "")
    if not judgements:
        yield "No threshold was judged."
        return
    yield from table(
        ("verdict", "threshold", "where", "value", "interval", "limit", "n", "why"),
        [_threshold(item) for item in weightiest_first(judgements)],
        right=(3, 5, 6),
    )


def _threshold(item: Judgement) -> list[str]:
    value, against = value_and_limit(item)
    word = threshold_word(item.verdict, item.severity)
    expr = item.expr if item.severity == "gate" else f"{item.expr} ({item.severity})"
    where = labels.of_scope(item.scope)
    why = sentence(judgement_facts(item))
    return [f"{word.mark} {word.word}", expr, where, value, interval(item), against, str(item.n), why]


def _peak(assessment: Assessment) -> Iterator[str]:
    yield from ("", "### Evening peak against off-peak", "")
    rows = []
    for row in labels.ordered(assessment.peak, lambda row: row.to_json()):
        word = peak_word(row.verdict)
        where = f"{row.vendor}/{row.node} {row.scenario} {row.network} {row.transport}"
        change = difference(row.shift, row.unit, infinite="shift" in row.infinite, signed=True)
        why = sentence(peak_facts(row))
        rows.append([f"{word.mark} {word.word}", where, row.metric, change, str(row.days), why])
    yield from table(("verdict", "where", "metric", "change", "days", "why"), rows, right=(3, 4))


def _sessions(sessions: Sequence[SessionSummary]) -> Iterator[str]:
    yield from ("", f"### {plural(len(sessions), 'session')}", "")
    rows = []
    for session in labels.in_order(sessions):
        rtt, up, down = session.rtt_ms, session.up, session.down
        rows.append(
            [
                labels.one_line(session.record),
                str(session.counts["sent"]),
                percentile(rtt, "p50"),
                percentile(rtt, "p95"),
                percent(session.loss_ratio),
                percent(up.residual_ratio),
                percent(None if down is None else down.residual_ratio),
                session.grade,
            ]
        )
    head = ("session", "sent", "rtt p50 ms", "rtt p95 ms", "loss %", "residual up %", "residual down %")
    yield from table((*head, "measurement"), rows, right=range(1, 7))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    """A table as GitHub and GitLab read it; `right` are the columns of numbers."""
    yield _row(head)
    yield "|" + "|".join("---:" if at in right else "---" for at in range(len(head))) + "|"
    for row in rows:
        yield _row([cell(text) for text in row])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def cell(text: str) -> str:
    """Text from elsewhere on one line, with nothing in it that Markdown or HTML would act on."""
    return _SPECIAL.sub(r"\\\1", " ".join(printable(text).split()))
