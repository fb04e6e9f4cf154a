"""`probe gate` on stored runs: other thresholds, other evidence, and files for other programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from junitparser import JUnitXml

from probe.cli import app
from probe.cli.failures import execute
from probe.report.delivery import Delivery
from probe.report.out_files import OutFile
from probe.report.output import Output
from probe.session.run import RunOptions
from tests.plan.plan_text import GOOD
from tests.stored_runs import LOSS, RTT, write_run

THRESHOLDS = GOOD[GOOD.index("thresholds:") : GOOD.index("evidence:")]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    write_run(root, RTT, LOSS)
    return root


RUN = "20261122"


def gate(root: Path, *arguments: str) -> int:
    return execute(app, ["gate", *arguments, "--results", str(root)])


def plan(folder: Path, *thresholds: str, min_packets: int = 500) -> str:
    """Its keys are in no environment: who judges needs none."""
    lines = "".join(f"  - {text}\n" for text in thresholds)
    text = GOOD.replace(THRESHOLDS, f"thresholds:\n{lines}")
    path = folder / "other.yaml"
    path.write_text(text.replace("min_packets: 500", f"min_packets: {min_packets}"), encoding="utf-8")
    return str(path)


@pytest.mark.slow
def test_judging_again_says_what_the_run_said(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, ["report", RUN, "--results", str(results), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert gate(results, RUN, "--json") == 0
    assert json.loads(capsys.readouterr().out) == first


@pytest.mark.slow
@pytest.mark.parametrize(
    ("threshold", "min_packets", "verdict", "code"),
    [
        ("rtt.p95 < 120ms", 500, "pass", 0),
        ("rtt.p95 < 30ms", 500, "fail", 99),
        ("rtt.p95 < 120ms", 1_000_000, "inconclusive", 4),
    ],
)
def test_tighter_and_looser_thresholds(
    results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    threshold: str,
    min_packets: int,
    verdict: str,
    code: int,
) -> None:
    other = plan(tmp_path, threshold, min_packets=min_packets)
    for arguments in ([RUN, other], [RUN, "--with", other]):
        assert gate(results, *arguments, "--json") == code
        shown = capsys.readouterr()
        document = json.loads(shown.out)
        assert (document["verdict"], document["exit_code"]) == (verdict, code)
        assert {item["file"] for item in document["thresholds"]} == {other, None}
        assert "no packet was sent" in shown.err


@pytest.mark.slow
@pytest.mark.parametrize("code", [0, 4, 99])
def test_teams_with_two_colours(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    other = plan(tmp_path, "rtt.p95 < 120ms", min_packets=1_000_000)
    assert gate(results, RUN, other, "--json", "--inconclusive-as", str(code)) == code
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["exit_code"]) == ("inconclusive", code)


def test_a_failure_stays_one_whatever_the_undecided_are(results: Path, tmp_path: Path) -> None:
    other = plan(tmp_path, "rtt.p95 < 30ms", "up.recovery.p95 < 1s")
    assert gate(results, RUN, other, "--inconclusive-as", "0", "--quiet") == 99


@pytest.mark.slow
def test_several_runs_are_one_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write_run(tmp_path, RTT, run_id="20261101T000000Z-aaaaaa", days=1)
    second = write_run(tmp_path, {**RTT, "line": 50}, run_id="20261102T000000Z-bbbbbb", days=1, first_day=1)
    assert gate(tmp_path, second, first, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["run_id"] == f"{first}+{second}"
    assert len(document["sessions"]) == 8
    rows = [item for item in document["thresholds"] if item["expr"] == "rtt.p95 < 200ms"]
    assert len(rows) == 4
    assert {row["n"] for row in rows} == {1200}
    assert {row["line"] for row in rows} == {50}


@pytest.mark.slow
def test_runs_with_different_thresholds_need_a_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, RTT, run_id="20261101T000000Z-aaaaaa", days=1)
    write_run(tmp_path, LOSS, run_id="20261102T000000Z-bbbbbb", days=1)
    assert gate(tmp_path, "20261101", "20261102") == 2
    assert "--with PLAN" in capsys.readouterr().err
    assert gate(tmp_path, "20261101", "20261102", "--with", plan(tmp_path, "loss < 50%"), "--quiet") == 0


@pytest.mark.slow
def test_every_format_of_one_run(results: Path, tmp_path: Path) -> None:
    names = {"json": "a.json", "junit": "a.xml", "markdown": "a.md", "prometheus": "a.prom", "html": "a.html"}
    asked = [text for form, name in names.items() for text in ("--out", f"{form}={tmp_path / 'out' / name}")]
    assert gate(results, RUN, "--quiet", *asked) == 0
    files = {name: (tmp_path / "out" / name).read_text(encoding="utf-8") for name in names.values()}
    document = json.loads(files["a.json"])
    cases = [case for suite in JUnitXml.fromstring(files["a.xml"].encode()) for case in suite]
    assert len(cases) == len(document["thresholds"]) == 10
    assert files["a.prom"].count("rtcprobe_threshold_value_") > len(cases)
    assert files["a.html"].startswith("<!DOCTYPE html>")
    assert "rtt.p95" in files["a.md"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names.values())


@pytest.mark.parametrize("out", ["junit", "junit=", "sarif=x", "json=."])
def test_an_output_that_cannot_be_is_refused_first(
    results: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(results, RUN, "--out", out) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_a_file_that_cannot_be_written_is_no_verdict(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert gate(results, RUN, "--json", "--out", f"html={tmp_path / 'file' / 'x.html'}") == 3
    assert json.loads(capsys.readouterr().out)["exit_code"] == 3


def test_what_does_not_fit_together_is_refused(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = plan(tmp_path, "loss < 50%")
    for arguments in (
        [RUN, "--inconclusive-as", "5"],
        [RUN, other, "--with", other],
        [other, "--with", other],
        ["--with", other, "nowhere"],
        [RUN, "--seed", "1"],
        ["20310101"],
        ["nowhere.yaml"],
    ):
        assert gate(results, *arguments) == 2, arguments
    assert capsys.readouterr().out == ""


def test_a_plan_alone_is_measured_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, RunOptions, Delivery]] = []

    def measured(name: str, options: RunOptions, output: Output, delivery: Delivery) -> int:
        asked.append((name, options, delivery))
        return 4

    monkeypatch.setattr("probe.report.gate.run_and_report", measured)
    report = tmp_path / "x.xml"
    arguments = ["indonesia", "--seed", "7", "--duration", "1s", "--out", f"junit={report}"]
    assert gate(tmp_path, *arguments, "--inconclusive-as", "99") == 4
    ((name, options, delivery),) = asked
    assert (name, options) == ("indonesia", RunOptions(tmp_path, seed=7, duration="1s"))
    assert (delivery.files, delivery.inconclusive_as) == ((OutFile("junit", report),), 99)


@pytest.mark.slow
def test_github_is_told(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    other = plan(tmp_path, "rtt.p95 < 30ms")
    assert gate(results, RUN, other, "--json") == 99
    shown = capsys.readouterr()
    assert json.loads(shown.out)["verdict"] == "fail"
    line = GOOD.splitlines().index("thresholds:") + 2
    assert f"::error file=other.yaml,line={line},title=rtt.p95 < 30ms (4 places)::" in shown.err
    assert (tmp_path / "output").read_text().startswith("verdict=fail\nexit_code=99\n")
    assert "✗ FAIL" in (tmp_path / "summary").read_text(encoding="utf-8")
