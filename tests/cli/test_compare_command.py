"""`probe compare` on stored runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.cli import app
from probe.cli.failures import execute
from tests.stored_runs import RTT, write_run

OLD, NEW = "20261101T000000Z-aaaaaa", "20261115T000000Z-bbbbbb"
LEVELS = {"alpha": 60.0, "beta": 61.0, "gamma": 90.0}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fortnight: then all evenings get 30 ms worse (the country's network), beta's 90 ms."""
    root = tmp_path_factory.mktemp("results")
    worse = {"alpha": 30.0, "beta": 90.0, "gamma": 30.0}
    write_run(root, RTT, run_id=OLD, vendors=LEVELS, days=9)
    write_run(root, RTT, run_id=NEW, vendors=LEVELS, evening_ms=worse, days=9, first_day=14, seed=2)
    return root


def compare(root: Path, *arguments: str) -> int:
    return execute(app, ["compare", *arguments, "--results", str(root)])


def rows(
    document: dict[str, list[dict[str, object]]], name: str, metric: str, window: str
) -> list[dict[str, object]]:
    return [row for row in document[name] if (row["metric"], row["window"]) == (metric, window)]


@pytest.mark.slow
def test_vendors_are_ranked_and_overlaps_are_said(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(results, OLD, "--quiet") == 0
    lines = capsys.readouterr().out.splitlines()
    line = next(line for line in lines if line.startswith("rtt.p95 (evening peak)"))
    assert "is ahead of gamma" in line
    assert "9 days" in line
    assert compare(results, OLD, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    ranking = next(r for r in document["ranking"] if (r["metric"], r["window"]) == ("connect.p50", "peak"))
    assert [place["vendor"] for place in ranking["places"]] == ["alpha", "beta", "gamma"]
    assert document["changes"] == document["relative"] == []


@pytest.mark.slow
def test_a_vendor_against_its_own_baseline(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(results, OLD, NEW, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    found = {row["second"]["vendor"]: row for row in rows(document, "changes", "rtt.p95", "peak")}  # type: ignore[index]
    assert {name: row["verdict"] for name, row in found.items()} == dict.fromkeys(LEVELS, "regressed")
    assert found["beta"]["low"] <= 90 <= found["beta"]["high"]  # type: ignore[operator]
    assert (found["beta"]["units"], found["beta"]["counted_in"]) == (9, "day")
    night = rows(document, "changes", "rtt.p95", "offpeak")
    assert {row["verdict"] for row in night} == {"not_regressed"}


@pytest.mark.slow
def test_a_reference_takes_out_what_changed_for_all(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(results, OLD, NEW, "--reference", "alpha", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    found = {row["second"]["vendor"]: row for row in rows(document, "relative", "rtt.p95", "peak")}  # type: ignore[index]
    assert {name: row["verdict"] for name, row in found.items()} == {
        "beta": "regressed",
        "gamma": "not_regressed",
    }
    assert found["beta"]["low"] <= 60 <= found["beta"]["high"]  # type: ignore[operator]
    assert {row["first"]["vendor"] for row in document["vendors"]} == {"alpha"}
    assert document["ranking"] == []


@pytest.mark.slow
def test_tables_for_people(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(results, OLD, NEW, "--reference", "alpha") == 0
    shown = capsys.readouterr().out
    assert "Vendor against vendor, in the same minutes" in shown
    assert f"Against the run {OLD}" in shown
    assert "Beyond what changed for alpha" in shown
    assert "✗ regressed" in shown
    assert "EMULATED" not in shown


def test_one_day_is_not_enough_and_says_how_much_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, run_id=OLD, vendors={"alpha": 60.0, "beta": 600.0}, days=1)
    assert compare(tmp_path, OLD, "--quiet") == 0
    assert "cannot be ranked yet: 1 of the 6 sessions" in capsys.readouterr().out


@pytest.mark.slow
def test_what_cannot_be_compared(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, run_id=OLD, vendors={"alpha": 60.0}, days=1)
    assert compare(tmp_path, OLD) == 2
    assert compare(results, OLD, OLD) == 2
    assert compare(results, OLD, NEW, "--reference", "alhpa") == 2
    assert "did you mean 'alpha'" in capsys.readouterr().err
