"""`probe report` and `probe runs` on a stored run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.records import UNREACHABLE
from probe.store.writer import RunWriter
from tests.store.samples import RUN_ID, make_manifest, make_record, make_rows, parquet_files

RTT = {"expr": "rtt.p50 < 200ms", "severity": "gate", "file": "indonesia.yaml", "line": 41}
LOSS = {"expr": "loss < 1%", "severity": "gate", "file": "indonesia.yaml", "line": 42}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run with one good session; every tenth packet is lost."""
    write(tmp_path, RTT)
    return tmp_path


def write(root: Path, *thresholds: object, run_id: str = RUN_ID, outcome: str = "completed") -> None:
    manifest = make_manifest(run_id, thresholds=list(thresholds), emulated=False, sessions_planned=1)
    record = make_record(run_id=run_id, outcome=outcome, connect_ms=41.0)
    with RunWriter(root, manifest) as writer:
        if outcome != UNREACHABLE:
            writer.add_rows(record, make_rows(1500))
        writer.finish_session(record)


def run(root: Path, *arguments: str) -> int:
    return execute(app, [*arguments, "--results", str(root)])


def test_a_report_is_made_from_the_packets(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(results, "report", RUN_ID) == 0
    shown = capsys.readouterr()
    assert "10.00" in shown.out
    assert "rtt.p50 < 200ms  indonesia.yaml:41" in shown.out
    assert shown.out.splitlines()[-1].startswith("✓ PASS")
    assert shown.err == ""


def test_the_exit_code_is_that_of_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, RTT, LOSS)
    assert run(tmp_path, "report", RUN_ID) == 99
    assert "✗ FAIL: 1 of 3 gating checks failed (exit code 99)." in capsys.readouterr().out


def test_an_unreachable_node_has_no_packets_but_a_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, outcome=UNREACHABLE)
    assert run(tmp_path, "report", RUN_ID) == 99
    assert "reachable >= 100%" in capsys.readouterr().out


def test_json_is_one_document_and_the_verdict_is_on_stderr(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(results, "report", RUN_ID, "--json") == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert document["run_id"] == RUN_ID
    assert document["sessions"][0]["counts"]["scheduled"] == 1500
    assert shown.err.startswith("✓ PASS")


def test_quiet_is_the_verdict_alone(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(results, "report", RUN_ID, "--quiet")
    assert len(capsys.readouterr().out.splitlines()) == 1
    run(results, "report", RUN_ID, "--quiet", "--json")
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_a_run_is_found_by_the_beginning_of_its_id_or_its_folder(results: Path, tmp_path: Path) -> None:
    assert run(results, "report", RUN_ID[:10]) == 0
    assert execute(app, ["report", str(results / "runs" / RUN_ID)]) == 0


def test_no_such_run(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(results, "report", "20310101") == 2
    assert capsys.readouterr().err.startswith("error: no run '20310101'")


def test_damage_is_told_and_the_rest_is_shown(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *_ = parquet_files(results)
    first.write_bytes(b"torn")
    run(results, "report", RUN_ID)
    shown = capsys.readouterr()
    assert first.name in shown.err
    assert "Latency" in shown.out


@pytest.mark.slow
def test_the_report_needs_nothing_but_packets(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(results, "report", RUN_ID)
    before = capsys.readouterr().out
    for name in ("summary.json", "verdict.json"):
        (results / "runs" / RUN_ID / name).unlink(missing_ok=True)
    run(results, "report", RUN_ID)
    assert capsys.readouterr().out == before


def test_runs_are_listed(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(results, "runs") == 0
    assert RUN_ID in capsys.readouterr().out
    run(results, "runs", "--quiet")
    assert capsys.readouterr().out == f"{RUN_ID}\n"
    run(results, "runs", "--json")
    assert [item["run_id"] for item in json.loads(capsys.readouterr().out)["runs"]] == [RUN_ID]


def test_no_runs_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(tmp_path)
    assert run(tmp_path, "runs") == 0
    assert "There are no runs" in capsys.readouterr().out
    run(tmp_path, "runs", "--json")
    assert json.loads(capsys.readouterr().out) == {"schema_version": 1, "runs": []}


@pytest.mark.slow
def test_a_timeline_is_drawn_for_people(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(results, "report", RUN_ID, "--timeline") == 0
    shown = capsys.readouterr().out
    assert shown.index("0 ms ┤▁") < shown.index("goodput") < shown.index("Latency, ms")
    assert run(results, "report", RUN_ID, "--timeline", "--json") == 2
    assert "--timeline is drawn for people" in capsys.readouterr().err
