"""`probe whatif` on stored runs: the table, the document, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.metrics import Rows
from probe.store.writer import RunWriter
from tests.analysis.made import crossings, steady
from tests.store.samples import RUN_ID, make_manifest, make_record

RESIDUAL = {"expr": "up.residual < 3%", "severity": "gate", "file": "plan.yaml", "line": 1}


def scattered_loss() -> Rows:
    return crossings([None if at % 20 == 7 else 30.0 for at in range(1500)], [40.0] * 1500)


def write(root: Path, *sessions: tuple[Rows, dict[str, Any]], thresholds: tuple[Any, ...] = ()) -> None:
    manifest = make_manifest(thresholds=list(thresholds), emulated=False)
    with RunWriter(root, manifest) as writer:
        for index, (rows, changes) in enumerate(sessions):
            record = make_record(index, **changes)
            if len(rows):
                writer.add_rows(record, rows)
            writer.finish_session(record)


def whatif(root: Path, *arguments: str) -> int:
    return execute(app, ["whatif", RUN_ID, *arguments, "--results", str(root)])


@pytest.mark.slow
def test_the_cheapest_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, (scattered_loss(), {}), (steady(), {"network": "other"}))
    assert whatif(tmp_path) == 0
    shown = capsys.readouterr().out
    assert "5.00 % lost (75/1500), round trip 70.0 ms; asked: residual ≤ 1 % at 200 ms" in shown
    assert "nack x1 ←" in shown
    assert "  measured" in shown
    assert "Cheapest for a residual of 1 % or less at 200 ms: nack x1, 1.05 times the media's bytes." in shown
    assert "Left out: 1 session that lost no packet" in shown
    costs = [float(cell[:-1]) for line in shown.splitlines() for cell in line.split() if cell.endswith("0x")]
    assert costs == sorted(costs)


def test_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, (scattered_loss(), {}), thresholds=(RESIDUAL,))
    assert whatif(tmp_path, "--json", "--deadline", "80ms") == 0
    document = json.loads(capsys.readouterr().out)
    (session,) = document["sessions"]
    assert (session["deadline_ms"], session["target_ratio"], session["target_from"]) == (
        80,
        0.03,
        "threshold",
    )
    (up,) = session["ways"]
    by_name = {one["remedy"]: one for one in up["remedies"]}
    assert by_name["nack x10"]["residual_ratio"] == 0.05  # 20 ms and a round trip are more than 80 ms
    assert by_name["red 1"]["residual_ratio"] == 0
    assert up["cheapest"] == "xor 10+1"  # one a block is lost, the eighth: the repair comes 40 ms later
    assert up["measured"]["remedy"] == "nack x10"
    assert "xor 10+1" in up["sentence"]


@pytest.mark.slow
def test_quiet_is_a_line_a_direction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, (scattered_loss(), {}))
    assert whatif(tmp_path, "--quiet", "--target", "10%") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("alpha/jkt-1 voice clean peak udp up: Cheapest for a residual of 10 % or less")
    assert "none" in shown


@pytest.mark.parametrize(
    ("rows", "changes", "words"),
    [
        (steady(), {}, "its session lost no packet, so there is nothing to repair"),
        (steady()[:0], {"outcome": "unreachable"}, "its session sent no packet"),
        (scattered_loss(), {"transport": "quic-stream"}, "went over QUIC"),
    ],
)
def test_one_sentence_says_why_there_is_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: Rows, changes: dict[str, Any], words: str
) -> None:
    write(tmp_path, (rows, changes))
    assert whatif(tmp_path) == 2
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith(f"error: run {RUN_ID} has nothing to replay")
    assert words in first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "1"], "--target 1:"),
        (["--deadline", "soon"], "--deadline soon:"),
        (["--only", "beta"], "the run has no vendor or node 'beta'"),
    ],
)
def test_bad_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    write(tmp_path, (scattered_loss(), {}))
    assert whatif(tmp_path, *arguments) == 2
    assert words in capsys.readouterr().err
