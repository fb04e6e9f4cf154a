from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from probe.report.grid import Column, Grid

COLUMNS = (
    Column("node", left=True, label=1),
    Column("window", left=True, label=2),
    Column("p50"),
    Column("p90", drop=1),
    Column("p99", drop=2),
    Column("why", left=True, flex=True),
)
PROSE = "as good as it gets, and then some more of it."


def lines(grid: Grid, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(grid)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def grid(headed: bool = False) -> Grid:
    made = Grid(COLUMNS, headed=headed)
    for node in ("alpha/jkt-1", "beta/jkt-1"):
        for window in ("peak", "offpeak"):
            made.add(node, window, "43.1", "51.7", "81.9", PROSE)
    return made


def test_wide_all_columns_and_repeated_labels_left_blank() -> None:
    shown = lines(grid(), 120)
    assert shown[0].split() == ["node", "window", "p50", "p90", "p99", "why"]
    assert shown[2].startswith("alpha/jkt-1  peak")
    assert shown[3].startswith("             offpeak")
    assert shown[4] == ""
    assert shown[5].startswith("beta/jkt-1   peak")


def test_narrow_labels_become_headings_and_prose_goes_below() -> None:
    shown = lines(grid(), 36)
    assert shown[0].split() == ["window", "p50", "p90", "p99"]
    assert shown[2:5] == ["alpha/jkt-1", "  peak     43.1  51.7  81.9", "    as good as it gets, and then"]
    assert "beta/jkt-1" in shown


def test_narrower_columns_are_left_out_and_named() -> None:
    shown = lines(grid(), 24)
    assert shown[0].split() == ["window", "p50", "p90"]
    assert " ".join(shown).endswith("Not shown at 24 columns: p99.")


def test_narrowest_every_label_is_a_heading() -> None:
    shown = lines(grid(), 14)
    assert shown[0].split() == ["p50"]
    assert "43.1" in " ".join(shown)


def test_a_row_that_differs_in_nothing_but_values_repeats_no_label() -> None:
    made = Grid(COLUMNS[:3])
    made.add("alpha", "peak", "1")
    made.add("alpha", "peak", "2")
    assert [line.split() for line in lines(made, 80)[2:]] == [["alpha", "peak", "1"], ["2"]]


def test_heads_of_two_lines_stand_on_the_rule() -> None:
    made = Grid([Column("rtt\np50"), Column("n")])
    made.add("1.0", "9")
    assert lines(made, 40)[:2] == ["rtt", "p50  n"]


def test_wide_characters_keep_their_columns() -> None:
    made = Grid([Column("node", left=True), Column("n")])
    made.add("雅加达", "12")
    made.add("ab", "345")
    assert [cell_len(line) for line in lines(made, 40)[2:]] == [11, 11]


def test_headed_at_any_width() -> None:
    assert lines(grid(headed=True), 160)[2] == "alpha/jkt-1"


def test_an_empty_grid_is_its_head() -> None:
    assert lines(Grid(COLUMNS[:3]), 40) == ["node  window  p50", "─" * 17]


@given(width=st.integers(30, 200), names=st.lists(st.text("abc d", min_size=1, max_size=30), max_size=5))
def test_no_line_is_ever_wider_than_the_page_and_no_number_is_cut(width: int, names: list[str]) -> None:
    made = Grid(COLUMNS)
    for name in names:
        made.add(name, "offpeak", "1234567.8", "51.7", "81.9", Text(PROSE))
    shown = lines(made, width)
    assert all(cell_len(line) <= width for line in shown)
    assert sum("1234567.8" in line for line in shown) == len(names)


@pytest.mark.parametrize("width", [30, 60, 90])
def test_prose_is_never_cut(width: int) -> None:
    words = " ".join(lines(grid(), width)).split()
    assert all(word in words for word in PROSE.split())
