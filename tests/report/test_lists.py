"""Exit codes and the list of runs."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from probe.errors import ExitStatus
from probe.report.exit_codes import MEANINGS, exit_codes_document, exit_codes_table
from probe.report.grid import Grid
from probe.report.runs import runs_document, runs_table
from probe.store.reader import RunInfo
from tests.report.samples import RUN


def printed(grid: Grid, width: int = 160) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(grid)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_every_exit_code_is_explained() -> None:
    assert [item.status for item in MEANINGS] == list(ExitStatus)


def test_exit_codes_are_those_of_the_contract() -> None:
    document = exit_codes_document()
    assert [item["code"] for item in document["exit_codes"]] == [0, 1, 2, 3, 4, 99, 130, 143]
    assert document["precedence"] == [2, 1, 99, 3, 4, 0]


def test_exit_codes_for_people() -> None:
    text = printed(exit_codes_table())
    assert "99  FAIL" in text
    assert "the first of 2, 1, 99, 3, 4, 0 wins" in text


def run(**changes: object) -> RunInfo:
    facts = {
        "run_id": RUN,
        "started_at": "2026-11-22T12:30:00.123+00:00",
        "country": "ID",
        "title": {"en": "Indonesia"},
        "verdict": "fail",
        "emulated": True,
        "sessions": 24,
        "complete": True,
    }
    return RunInfo(**(facts | changes))  # type: ignore[arg-type]


def test_runs_with_their_verdicts() -> None:
    text = printed(runs_table([run(), run(verdict=None, emulated=False, complete=False, title=None)]))
    first, second = text.splitlines()[2:]
    assert " ".join(first.split()).endswith("2026-11-22 12:30:00 Indonesia (ID) 24 ✗ fail EMULATED")
    assert " ".join(second.split()).endswith("2026-11-22 12:30:00 ID 24 – incomplete")


def test_runs_as_a_document() -> None:
    document = runs_document([run(verdict=None)])
    assert document["schema_version"] == 1
    assert document["runs"][0]["run_id"] == RUN
    assert document["runs"][0]["verdict"] is None
