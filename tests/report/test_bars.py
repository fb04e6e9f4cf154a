"""Bars in the terminal: as high as their values, and nothing drawn where there is no data."""

from __future__ import annotations

from math import inf, nan

from probe.report.bars import axis, bars


def drawn(values: list[float], upto: list[float] | None = None, *, height: int = 2) -> list[str]:
    lines = bars("delay ms", values, top="80", most=80, height=height, margin=16, upto=upto)
    return [line.plain for line in lines]


def test_bars_are_as_high_as_their_values() -> None:
    assert drawn([0, 5, 40, 60, 80]) == ["delay ms    80 ┤   ▄█", "             0 ┤ ▁███"]


def test_no_data_infinity_and_the_shade_above_a_bar() -> None:
    assert drawn([nan, inf, 20, 40], [nan, inf, 80, 40]) == ["delay ms    80 ┤ █░", "             0 ┤×█▄█"]


def test_what_is_small_is_still_seen() -> None:
    assert drawn([0.01, 0])[1].endswith("┤▁")


def test_the_axis_ends_with_the_columns() -> None:
    assert (
        axis(30, 64, 16).plain
        == " " * 16 + "0               7.5             15              22.5        30 s"
    )
