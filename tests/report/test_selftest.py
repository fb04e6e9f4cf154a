"""What `probe selftest` prints: rows with a verdict, a last line, and an exit code that says whose fault it is."""

from __future__ import annotations

import json

import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.report import selftest as report
from probe.report.selftest import judged, number
from probe.session.selftest import MACHINE, Check

GOOD = Check("loss 10 %, up", "loss %", 10, 10.2, 1.2, 10_000)
DRAWN = Check("loss 10 %, up", "fates other than drawn", 0, 3, 0, 10_000, attempt=2)
SLOW = Check(MACHINE, "added delay ms, p99", 0, 7.25, 2, 70_000)


def test_numbers_have_four_digits() -> None:
    shown = [number(value) for value in (None, 0, 0.0123, 1.1111, 12.345, 123.45, 1234.5, 98765.4, -0.5)]
    assert shown == ["–", "0", "0.012", "1.111", "12.35", "123.5", "1234", "98765", "-0.500"]


def test_the_last_line_tells_a_busy_machine_from_a_wrong_relay() -> None:
    assert judged([GOOD]).startswith("✓ 1 of 1 value inside")
    assert "this machine cannot measure well enough now: added delay ms, p99 is 7.250" in judged([GOOD, SLOW])
    assert judged([GOOD, DRAWN]).startswith("✗ 1 of 2 values outside (loss 10 %, up)")


@pytest.mark.parametrize(("checks", "code"), [([GOOD], 0), ([GOOD, SLOW], 3), ([DRAWN], 3)])
def test_it_exits_with_3_when_this_machine_cannot(
    checks: list[Check], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def made(seed: int, progress: object) -> list[Check]:
        return checks

    monkeypatch.setattr(report, "selftest", made)
    assert execute(app, ["selftest", "--json", "--seed", "4"]) == code
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == code
    assert document["seed"] == 4
    assert [row["inside"] for row in document["rows"]] == [check.inside for check in checks]
    assert execute(app, ["selftest"]) == code
    told = capsys.readouterr().out
    assert all(
        head in told for head in ("impairment", "parameter", "set", "measured", "tolerance", "verdict")
    )


@pytest.mark.slow
def test_the_model_is_inside_the_kernels_bands(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, ["selftest", "--model", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len({row["configuration"] for row in rows}) >= 25
    assert all(row["inside"] for row in rows)
    assert all(
        row["inside"] == (abs(row["kernel"] - row["relay"]) <= row["band"]) for row in rows if row["band"]
    )
