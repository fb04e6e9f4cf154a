"""Values over time as bars of characters, for a terminal: a few lines high, an eighth of a line fine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import repeat

from rich.text import Text

LEVELS = " ▁▂▃▄▅▆▇█"
SHADE, MISSING = "░", "×"
_TICKS = 4


def bars(
    name: str,
    values: Sequence[float],
    *,
    top: str,
    most: float,
    height: int,
    margin: int,
    upto: Sequence[float] | None = None,
) -> Iterator[Text]:
    """Lines of a chart from 0 to `most` (written as `top`), its name and scale in a margin on the left.

    A bar of `values` is solid and goes on in a shade to `upto`. NaN is no data, marked at the bottom; infinite
    reaches the top.
    """
    further = repeat(0.0) if upto is None else upto
    columns = [_column(value, far, most, height) for value, far in zip(values, further, strict=False)]
    for row in range(height):
        scale = top if row == 0 else "0" if row == height - 1 else ""
        label = name if row == 0 else ""
        line = Text(f"{label:<{margin - len(scale) - 2}}{scale} ", style="dim")
        line.append("┤" if scale else "│", style="dim")
        line.append("".join(column[row] for column in columns).rstrip())
        yield line


def axis(span_s: float, width: int, margin: int) -> Text:
    """Seconds below the columns, at each quarter."""
    line = ""
    for tick in range(_TICKS + 1):
        at = round(tick * width / _TICKS)
        label = f"{span_s * tick / _TICKS:g}" + (" s" if tick == _TICKS else "")
        line = (
            f"{line:<{at}}{label}"
            if tick < _TICKS
            else f"{line:<{max(at - len(label), len(line) + 1)}}{label}"
        )
    return Text(" " * margin + line, style="dim")


def _column(value: float, upto: float, most: float, height: int) -> list[str]:
    """The characters of one column, the top one first."""
    if math.isnan(value):
        return [" "] * (height - 1) + [MISSING]
    eighths = _eighths(value, most, height)
    shaded = _eighths(upto, most, height) if not math.isnan(upto) else 0
    cells = []
    for row in range(height - 1, -1, -1):
        solid = min(max(eighths - 8 * row, 0), 8)
        cells.append(SHADE if solid == 0 and shaded > 8 * row + 4 else LEVELS[solid])
    return cells


def _eighths(value: float, most: float, height: int) -> int:
    if not most or value <= 0:
        return 0
    if math.isinf(value):
        return 8 * height
    return min(8 * height, max(1, round(8 * height * value / most)))  # what is there is seen
