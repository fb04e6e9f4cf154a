"""A network drawn in the terminal: delay, loss and rate over time, a direction below the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from probe.impairment.portrait import PROBE_PPS, Portrait
from probe.records import Json
from probe.report.bars import axis, bars
from probe.report.network_words import rate_words
from probe.report.numbers import milliseconds

MARGIN = 20
"""Columns left of the bars."""
SLICES = 64
_DELAY_LINES, _OTHER_LINES = 5, 2


def picture(title: str, portrait: Portrait, span_ns: int) -> Iterator[Text]:
    """One direction; what stays the same is a line of text instead of bars."""
    yield Text(title, style="bold")
    yield from _delay(portrait)
    yield from _loss(portrait)
    yield from _rate(portrait.rate_bps)
    yield axis(span_ns / 1e9, len(portrait.lost_ratio), MARGIN)


def picture_note(seed: int) -> Text:
    """What the bars are of."""
    return Text(
        f"Solid: median delay of a thin stream of {PROBE_PPS} packets/s; shaded: the largest; ×: none arrived. Seed {seed}.",
        style="dim",
    )


def picture_document(portrait: Portrait) -> Json:
    """Lists, a value a slice: null is no data; a rate of null is no limit."""
    return {
        "delay_ms_p50": _listed(portrait.median_ns / 1e6),
        "delay_ms_max": _listed(portrait.largest_ns / 1e6),
        "loss_ratio": _listed(portrait.lost_ratio),
        "rate_bps": _listed(portrait.rate_bps),
        "packets": portrait.packets,
    }


def _listed(values: NDArray[np.float64]) -> list[float | None]:
    return [round(value, 6) if np.isfinite(value) else None for value in values.tolist()]


def _delay(portrait: Portrait) -> Iterator[Text]:
    if np.isnan(portrait.largest_ns).all():
        yield _line("delay ms", "nothing arrived")
        return
    most = float(np.nanmax(portrait.largest_ns)) / 1e6
    if most - float(np.nanmin(portrait.median_ns)) / 1e6 < 0.01:
        yield _line("delay ms", milliseconds(most))
        return
    yield from bars(
        "delay ms",
        (portrait.median_ns / 1e6).tolist(),
        upto=(portrait.largest_ns / 1e6).tolist(),
        top=milliseconds(most),
        most=most,
        height=_DELAY_LINES,
        margin=MARGIN,
    )


def _loss(portrait: Portrait) -> Iterator[Text]:
    lost = portrait.lost_ratio
    most = float(np.nanmax(lost))
    if not most:
        yield _line("loss %", f"0 of {portrait.packets} packets")
        return
    shares = np.nan_to_num(lost).tolist()
    scale = f"{100 * most:.3g}"
    yield from bars("loss %", shares, top=scale, most=most, height=_OTHER_LINES, margin=MARGIN)


def _rate(rates: NDArray[np.float64]) -> Iterator[Text]:
    limited = rates[np.isfinite(rates)]
    if not len(limited):
        yield _line("rate", "no limit")
        return
    most = float(limited.max())
    if len(limited) == len(rates) and most - float(limited.min()) <= 0.001 * most:
        yield _line("rate", rate_words(most))
        return
    yield from bars(
        "rate", rates.tolist(), top=rate_words(most), most=most, height=_OTHER_LINES, margin=MARGIN
    )


def _line(name: str, value: str) -> Text:
    return Text.assemble((f"{name:<{MARGIN - 1}} ", "dim"), value)
