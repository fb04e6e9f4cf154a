"""One HTML file that opens offline: no script, no font, no picture from anywhere else.

Everything is put together as elements, so names from a plan or a node cannot become markup.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from importlib import resources

from probe import __version__
from probe.analysis.results import Assessment, Judgement, PeakRow, SessionSummary
from probe.records import Json
from probe.report import labels
from probe.report.checks import interval, weightiest_first
from probe.report.facts import judgement_facts, peak_facts
from probe.report.header import EMULATED, country_of, header
from probe.report.html_drawings import latency_figures, loss_figure
from probe.report.latency import percentile
from probe.report.numbers import difference, milliseconds, percent, quantity
from probe.report.quality import quality
from probe.report.sentences import sentence
from probe.report.svg import e
from probe.report.tables import rows_of
from probe.report.verdict import overall, value_and_limit
from probe.report.words import grade_word, peak_word, threshold_word, verdict_word


def html(assessment: Assessment, manifest: Json) -> str:
    """The verdict first, then why, then the measurements."""
    name = country_of(assessment, manifest)
    emulated = f", {EMULATED}" if assessment.emulated else ""
    title = f"{verdict_word(assessment.verdict).word}: {name}, run {assessment.run_id}{emulated}"
    head = e(
        "head",
        e("meta", charset="utf-8"),
        e("meta", name="viewport", content="width=device-width, initial-scale=1"),
        e("meta", name="color-scheme", content="light dark"),
        e("title", title),
        e("style", _style()),
    )
    body = e("body", e("main", *_parts(assessment, manifest, name)))
    page = e("html", head, body, lang="en")
    ET.indent(page, " ")
    return f"<!DOCTYPE html>\n{ET.tostring(page, encoding='unicode', method='html')}\n"


def _style() -> str:
    return resources.files("probe.report").joinpath("report.css").read_text(encoding="utf-8")


def _parts(assessment: Assessment, manifest: Json, name: str) -> Iterator[ET.Element]:
    def heading(text: str, level: str = "h2") -> ET.Element:
        mark = [e("span", EMULATED, class_="emulated")] if assessment.emulated else []
        return e(level, f"{text} ", *mark)

    yield heading(name, "h1")
    yield e("p", overall(assessment).plain, class_=f"verdict {_css(assessment.verdict)}")
    for line in header(assessment, manifest)[1:]:
        yield e("p", line.plain, class_="facts")
    yield heading("Thresholds")
    yield _thresholds(assessment.thresholds)
    sessions = assessment.sessions
    if sessions:
        yield heading("Round trip, evening peak over off-peak")
        yield from latency_figures(sessions)
        yield heading("Loss")
        yield loss_figure(rows_of(assessment))
    if assessment.peak:
        yield heading("Evening peak against off-peak")
        yield _peak(assessment.peak)
    if sessions:
        yield heading("Sessions")
        yield _sessions(rows_of(assessment))
    yield heading("Measurement quality")
    yield e("ul", *(e("li", line.plain.strip()) for line in quality(assessment)))
    yield e("footer", f"probe {__version__}, from the stored packets of run {assessment.run_id}.")


def _thresholds(judgements: Sequence[Judgement]) -> ET.Element:
    if not judgements:
        return e("p", "No threshold was judged.")
    rows = []
    for item in weightiest_first(judgements):
        value, against = value_and_limit(item)
        word = threshold_word(item.verdict, item.severity)
        expr = item.expr if item.severity == "gate" else f"{item.expr} ({item.severity})"
        at = f"{item.file}:{item.line or 1}" if item.file else None
        rows.append(
            e(
                "tr",
                e("td", f"{word.mark} {word.word}", class_=f"word {_css(word.word)}"),
                e("td", e("code", expr, title=at)),
                e("td", labels.of_scope(item.scope)),
                *(e("td", text, class_="n") for text in (value, interval(item), against, str(item.n))),
                e("td", sentence(judgement_facts(item))),
            )
        )
    return _table(("verdict", "threshold", "where", "value", "interval", "limit", "n", "why"), rows)


def _peak(peak: Sequence[PeakRow]) -> ET.Element:
    rows = []
    for row in labels.ordered(peak, lambda row: row.to_json()):
        word = peak_word(row.verdict)
        shift = difference(row.shift, row.unit, infinite="shift" in row.infinite, signed=True)
        levels = [
            quantity(getattr(row, name), row.unit, infinite=name in row.infinite)
            for name in ("peak", "offpeak")
        ]
        rows.append(
            e(
                "tr",
                e("td", f"{word.mark} {word.word}", class_=f"word {_css(word.word)}"),
                e("td", f"{row.vendor}/{row.node} {row.scenario} {row.network} {row.transport}"),
                e("td", row.metric),
                *(e("td", text, class_="n") for text in (*levels, shift, str(row.days))),
                e("td", sentence(peak_facts(row))),
            )
        )
    return _table(("verdict", "where", "metric", "peak", "off-peak", "change", "days", "why"), rows)


def _sessions(sessions: Sequence[SessionSummary]) -> ET.Element:
    rows = []
    for session in labels.in_order(sessions):
        record, rtt, grade = session.record, session.rtt_ms, grade_word(session.grade)
        down = None if session.down is None else session.down.residual_ratio
        numbers = [
            str(session.counts["sent"]),
            *(percentile(rtt, name) for name in ("p50", "p95", "p99")),
            *(percent(ratio) for ratio in (session.loss_ratio, session.up.residual_ratio, down)),
            milliseconds(record.connect_ms),
        ]
        rows.append(
            e(
                "tr",
                e("td", labels.one_line(record)),
                e("td", labels.at(session)),
                *(e("td", text, class_="n") for text in numbers),
                e("td", f"{grade.mark} {grade.word}", class_=f"word {_css(grade.word)}"),
            )
        )
    head = ("session", "at", "sent", "rtt p50 ms", "p95", "p99", "loss %", "residual up %", "down %")
    return _table((*head, "connect ms", "measurement"), rows)


def _table(head: Sequence[str], rows: Sequence[ET.Element]) -> ET.Element:
    heads = e("tr", *(e("th", text, scope="col") for text in head))
    return e("div", e("table", e("thead", heads), e("tbody", *rows)), class_="scroll")


def _css(word: str) -> str:
    """A verdict's word as a class; of a newer version's, only letters."""
    return "".join(letter if letter.isascii() and letter.isalpha() else "-" for letter in word)
