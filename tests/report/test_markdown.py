"""Markdown as a foreign parser reads it."""

from __future__ import annotations

import re
from dataclasses import replace

from markdown_it import MarkdownIt

from probe.report.markdown import markdown
from tests.report.judged import HOSTILE, MANIFEST, judged


def rendered() -> str:
    return str(MarkdownIt("commonmark").enable("table").render(markdown(judged(), MANIFEST)))


def cells(row: str) -> list[str]:
    return re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)


def test_tables_are_tables_with_as_many_cells_as_heads() -> None:
    tables = re.findall(r"<table>.*?</table>", rendered(), re.DOTALL)
    assert len(tables) == 3
    for table in tables:
        assert len({len(cells(row)) for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)}) == 1


def test_what_failed_comes_first() -> None:
    rows = [cells(row) for row in re.findall(r"<tr>.*?</tr>", rendered(), re.DOTALL)]
    assert rows[0][:3] == ["verdict", "threshold", "where"]
    words = [row[0] for row in rows[1:8]]
    fail, warn, ours, unknown, fine = "✗ fail", "! warn", "– not measured", "? inconclusive", "✓ pass"
    assert words == [fail, fail, warn, ours, unknown, fine, fine]
    assert rows[1][3:7] == ["243.2 ms", "[231, 260]", "&lt; 200 ms", "1500"]


def test_names_are_text() -> None:
    html = rendered()
    assert "<b " not in html
    assert "<script" not in html
    assert (
        HOSTILE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;") in html
    )


def test_an_emulated_run_says_so_and_the_verdict_is_there() -> None:
    html = rendered()
    assert "EMULATED</h2>" in html
    assert "<strong>✗ FAIL: " in html
    real = markdown(replace(judged(), emulated=False), MANIFEST)
    assert "EMULATED" not in real
