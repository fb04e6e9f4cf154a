"""Elements of HTML and SVG, escaped by construction, and the two drawings of the report."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass

from probe.report.printable import printable

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 34

Node = ET.Element | str


def e(tag: str, *children: Node, **attributes: object) -> ET.Element:
    """An element. `class_` is `class`; an underscore is a hyphen; None leaves the attribute out."""
    element = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            element.set(name.rstrip("_").replace("_", "-"), printable(shown))
    for child in children:
        _append(element, child)
    return element


def _append(element: ET.Element, child: Node) -> None:
    if isinstance(child, ET.Element):
        element.append(child)
    elif len(element):
        element[-1].tail = (element[-1].tail or "") + printable(child)
    else:
        element.text = (element.text or "") + printable(child)


@dataclass(frozen=True, slots=True)
class Curve:
    """A distribution function: `values` ascending, `infinite` more never arrived. `style` is a CSS class."""

    name: str
    style: str
    values: Sequence[float]
    infinite: int


def cdf(curves: Sequence[Curve], title: str) -> ET.Element:
    """Share of packets back within so many milliseconds. A curve that ends below 100 % lost the rest."""
    right = _round_up(max((curve.values[-1] for curve in curves if len(curve.values)), default=1.0))
    drawing = _drawing(title, HEIGHT)
    for share in (0, 25, 50, 75, 100):
        y = _y(share / 100)
        drawing.append(e("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        drawing.append(e("text", f"{share} %", x=LEFT - 6, y=y + 4, class_="tick end"))
    for step in range(5):
        at = right * step / 4
        x = _x(at, right)
        drawing.append(e("text", f"{at:g}", x=x, y=HEIGHT - BOTTOM + 16, class_="tick middle"))
    where = {"x": (LEFT + WIDTH - RIGHT) / 2, "y": HEIGHT - 4.0}
    drawing.append(e("text", "round trip, ms", class_="tick middle", **where))
    for curve in curves:
        line = e("path", d=_steps(curve, right), class_=f"curve {curve.style}")
        line.append(e("title", curve.name))
        drawing.append(line)
    return drawing


def _steps(curve: Curve, right: float) -> str:
    """At most 200 points of the curve, the last one among them."""
    n, total = len(curve.values), len(curve.values) + curve.infinite
    ranks = sorted({math.ceil(n * part / 200) for part in range(1, 201)} - {0}) if n else []
    points = [(_x(curve.values[rank - 1], right), _y(rank / total)) for rank in ranks]
    if not points:
        return ""
    start = f"M{points[0][0]:.1f} {_y(0):.1f}"
    last = f"H{WIDTH - RIGHT}"
    return start + "".join(f"L{x:.1f} {y:.1f}" for x, y in points) + last


@dataclass(frozen=True, slots=True)
class Bar:
    """Parts are shares from 0 to 1 with their CSS classes, drawn one after the other."""

    name: str
    told: str
    parts: Sequence[tuple[str, float]]


def bars(rows: Sequence[Bar], title: str) -> ET.Element:
    """A row a cell, all to the same scale, with its numbers behind it."""
    height, left, room = 22 * len(rows) + 8, 330, 170
    most = max((sum(share for _, share in row.parts) for row in rows), default=0) or 1.0
    drawing = _drawing(title, height)
    for number, row in enumerate(rows):
        y = 22 * number + 4
        group = e("g", e("title", f"{row.name}: {row.told}"))
        group.append(e("text", row.name, x=left - 8, y=y + 13, class_="tick end"))
        x = float(left)
        for style, share in row.parts:
            width = room * share / most
            group.append(e("rect", x=x, y=y, width=width, height=16, class_=style))
            x += width
        group.append(e("text", row.told, x=x + 6, y=y + 13, class_="tick"))
        drawing.append(group)
    return drawing


def _drawing(title: str, height: int) -> ET.Element:
    box = f"0 0 {WIDTH} {height}"
    return e(
        "svg", viewBox=box, width="100%", role="img", aria_label=title, xmlns="http://www.w3.org/2000/svg"
    )


def _x(value: float, right: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * value / right


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 6, 8 times a power of ten, so that quarters are readable."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 6, 8, 10) if step * power >= value)
