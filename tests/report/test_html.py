"""The HTML report: one file that needs nothing else, and text that stays text."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

from probe.report.html import html
from probe.report.svg import Bar, Curve, bars, cdf
from tests.report.judged import HOSTILE, MANIFEST, judged

LOADING = {"src", "href", "srcset", "data", "action", "poster"}


class Page(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_it_needs_nothing_from_anywhere_and_runs_nothing() -> None:
    page = Page(html(judged(), MANIFEST))
    assert not {"script", "link", "img", "iframe", "object", "b"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not LOADING & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    style = next(text for text in page.text if "prefers-color-scheme" in text)
    assert "url(" not in style
    assert "@import" not in style


def test_names_are_text() -> None:
    page = Page(html(judged(), MANIFEST))
    assert any(f"{HOSTILE}/jkt-1" in text for text in page.text)


def test_verdict_curves_and_bars_are_there() -> None:
    page = Page(html(judged(), MANIFEST))
    shown = " ".join(page.text)
    assert "✗ FAIL" in shown
    assert shown.count("EMULATED") >= 5
    curves = [facts["class"] for tag, facts in page.tags if tag == "path"]
    assert curves == ["curve peak", "curve offpeak", "curve peak"] or sorted(map(str, curves)) == [
        "curve offpeak",
        "curve peak",
        "curve peak",
    ]
    assert sum(tag == "rect" for tag, _ in page.tags) == 3 * len(judged().sessions)
    assert all(facts.get("aria-label") for tag, facts in page.tags if tag == "svg")


def test_a_run_of_nothing_is_a_page_too() -> None:
    page = Page(html(replace(judged(), sessions=(), thresholds=(), peak=()), {"run_id": "x"}))
    assert "No threshold was judged." in " ".join(page.text)


def test_a_curve_ends_at_what_came_back() -> None:
    drawing = cdf([Curve("a", "peak", [10.0, 20.0, 30.0], 1)], "t")
    path = drawing.find("path")
    assert path is not None
    *_, last = path.get("d", "").partition("H")[0].split("L")
    bottom, top = 220 - 34, 10
    share = (bottom - float(last.split()[1])) / (bottom - top)
    assert abs(share - 0.75) < 0.01


def test_drawings_of_nothing() -> None:
    for drawing in (cdf([], "t"), cdf([Curve("a", "peak", [], 5)], "t"), bars([], "t")):
        assert ET.tostring(drawing)
    assert bars([Bar("a", "0 %", [("up", 0.0)])], "t").find("g") is not None
