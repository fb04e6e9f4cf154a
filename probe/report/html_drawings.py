"""What the HTML report draws of the sessions: distribution functions of the round trip, and loss."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence

from probe.analysis.population import Population
from probe.analysis.results import SessionSummary
from probe.report import labels
from probe.report.numbers import percent
from probe.report.svg import Bar, Curve, bars, cdf, e

STYLES = {"peak": "peak", "offpeak": "offpeak"}
NAMES = {"peak": "evening peak", "offpeak": "off-peak"}
PLACE = ("scenario", "network", "transport")


def latency_figures(sessions: Sequence[SessionSummary]) -> Iterator[ET.Element]:
    """One a node, scenario, network and transport; a curve a window."""
    cells: dict[str, dict[str, list[Population]]] = {}
    for session in labels.in_order(sessions):
        values = session.values.get("rtt")
        if isinstance(values, Population) and values.n:
            place = " ".join(getattr(session.record, name) for name in PLACE)
            windows = cells.setdefault(f"{labels.node_of(session)} · {place}", {})
            windows.setdefault(session.record.window, []).append(values)
    figures = []
    for name, windows in cells.items():
        curves = [_curve(window, Population.pooled(parts)) for window, parts in windows.items()]
        keys = [e("span", curve.name, class_=f"key {curve.style}") for curve in curves]
        caption = e("figcaption", e("strong", name), " ", *keys)
        figures.append(e("figure", caption, cdf(curves, f"Round trip of {name}")))
    if figures:
        yield e("div", *figures, class_="figures")
        yield e("p", "A curve that ends below 100 % lost the rest.", class_="facts")
    else:
        yield e("p", "No packet came back.")


def _curve(window: str, values: Population) -> Curve:
    p95 = values.value("p95")
    shown = "∞" if p95 is None or p95 == float("inf") else f"{p95:.1f} ms"
    name = f"{NAMES.get(window, window)}: p95 {shown}, n {values.n}"
    return Curve(name, STYLES.get(window, "other"), values.finite.tolist(), values.infinite)


def loss_figure(sessions: Sequence[SessionSummary]) -> ET.Element:
    """A bar a session: first transmissions lost on the way up, down, or nobody knows where."""
    rows = []
    for session in labels.in_order(sessions):
        sent = session.counts["sent"]
        shares = [
            (style, session.counts[f"lost_{way}"] / sent if sent else 0.0)
            for way, style in (("up", "up"), ("down", "down"), ("unknown", "unknown"))
        ]
        told = f"{percent(session.loss_ratio)} %" if session.loss_ratio is not None else "nothing sent"
        rows.append(Bar(labels.one_line(session.record), told, shares))
    keys = [
        e("span", words, class_=f"key {style}")
        for style, words in (("up", "lost up"), ("down", "lost down"), ("unknown", "not known where"))
    ]
    return e("figure", e("figcaption", *keys), bars(rows, "Loss of each session"), class_="wide")
