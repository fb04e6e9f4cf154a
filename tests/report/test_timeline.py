"""The drawing and the table of outages."""

from __future__ import annotations

from rich.console import Console

from probe.analysis.session import analyse_session
from probe.analysis.timeline import Timeline
from probe.report.outages import outages
from probe.report.timeline import MARGIN, ROWS, drawing
from tests.analysis.made import MS, crossings, record

LINE = Timeline(
    "up",
    500.0,
    (0.0, 10.0, None, 1000.0, 500.0),
    (0.0, 0.0, 1.0, 0.1, 0.0),
    (0, 0, 0, 2, 0),
    (8.0, 8.0, 0.0, 16.0, 8.0),
)


def test_columns_are_as_high_as_the_delay() -> None:
    lines = [text.plain.ljust(MARGIN + 5)[MARGIN:] for text in drawing(LINE, 1000.0)]
    columns = list(zip(*lines[:ROWS], strict=True))
    full = ["".join(column).strip().count("█") for column in columns]
    assert full == [0, 0, 0, ROWS, ROWS // 2]
    assert columns[0][-1] == "▁" and set(columns[2]) == {" "}
    assert lines[ROWS] == "  █▁ "  # lost: all of the third, a tenth of the fourth
    assert lines[ROWS + 1] == "   ▪ "  # not sent
    assert lines[ROWS + 2] == "▅▅ █▅"  # goodput
    assert lines[ROWS + 3].startswith("0 s")


def test_a_row_an_event() -> None:
    up = [None if 200 <= at < 250 else 30.0 for at in range(800)]
    session = analyse_session(record(packets=800, duration_ns=16_000 * MS), crossings(up, [40.0] * 800))
    console = Console(width=160, record=True, file=None)
    with console.capture() as shown:
        console.print(outages([session]))
    (row,) = [line for line in shown.get().splitlines() if "loss run, seen" in line]
    assert row.split()[-9:] == ["4.0", "1000.0", "1000.0", "1020.0", "0.0", "–", "–", "0.0", "0"]
    assert "recovered after:" in shown.get()
