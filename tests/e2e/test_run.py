"""`probe run` as a user meets it: what it prints, how it ends, what it leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.nodes import (
    BOUND_S,
    NodeProcess,
    alive,
    descendants,
    end,
    node_process,
    probe,
    probe_here,
    probe_run,
    transports,
    wait_until_gone,
    write_plan,
)

pytestmark = pytest.mark.net

SHORT: dict[str, Any] = {"voice": {"preset": "voice", "duration": "1500ms", "deadline": "400ms"}}
REPEATED: list[dict[str, Any]] = [{"scenarios": ["voice"], "repeat": 4}]
THIN: list[dict[str, Any]] = [{"name": "thin", "up": {"delay": "5ms"}, "down": {"delay": "5ms"}}]
SIMULATED = {"name": "sim", "endpoint": "emulated", "path": {"peak": "4g-evening", "offpeak": "4g-day"}}


def test_what_it_says_and_where(node: NodeProcess, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, node.entry(), vantages=[{"name": "jkt-1", "isp": "telkom"}])
    told = probe("run", str(plan), "--vantage", "jkt-1", "--only", "alpha/n1", "--seed", "5", cwd=tmp_path)
    assert told.returncode == 0
    plan_line, started, finished, kept = told.stderr.splitlines()
    assert plan_line == f"plan {plan} (as given)"
    run_id = re.fullmatch(r"ID: run (\S+), 1 session, about \S+ s", started)
    assert run_id is not None
    match = re.fullmatch(r"\[1/1\] ✓ alpha/n1 voice clean \S+ udp: (\d+) sent, (\d+) back", finished)
    assert match is not None
    assert match[1] == match[2]
    assert kept == f"kept in results; again: probe report {run_id[1]}"
    assert "vantage jkt-1" in told.stdout
    assert "seed 5" in told.stdout
    assert told.stdout.splitlines()[-1].startswith("✓ PASS")
    again = probe_here("report", run_id[1], cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, told.stdout)


def test_json_is_one_document_and_quiet_is_quiet(node: NodeProcess, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, node.entry())
    told = probe("run", str(plan), "--json", "--duration", "200ms", cwd=tmp_path)
    document = json.loads(told.stdout)
    assert document["exit_code"] == told.returncode
    assert [session["counts"]["scheduled"] for session in document["sessions"]] == [10]
    folder = tmp_path / "results" / "runs" / document["run_id"]
    assert json.loads((folder / "summary.json").read_text()) == document
    quiet = probe("run", str(plan), "--quiet", cwd=tmp_path)
    assert quiet.stderr == ""
    assert len(quiet.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.yaml"], "no plan 'missing.yaml'"),
        (["plan.yaml", "--vantage", "jkt"], "no vantage 'jkt'"),
        (["plan.yaml", "--only", "beta"], "no vendor or node 'beta'"),
        (["zero.yaml"], "a stream of 0s has no packet"),
        (["network.yaml"], "no network 'cleann', did you mean 'clean'?"),
    ],
)
def test_bad_input_is_told_before_anything_is_sent(arguments: list[str], told: str, tmp_path: Path) -> None:
    entry = {"name": "n1", "endpoint": "probe://127.0.0.1:9", "fingerprint": "sha256:" + "0" * 64}
    zero = {"voice": {"preset": "voice", "duration": "0s", "deadline": "400ms"}}
    write_plan(tmp_path, entry, scenarios=zero).rename(tmp_path / "zero.yaml")
    write_plan(tmp_path, entry, networks=["cleann"]).rename(tmp_path / "network.yaml")
    write_plan(tmp_path, entry)
    ended = probe_here("run", *arguments, "--json", cwd=tmp_path)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert json.loads(ended.stdout)["exit_code"] == 2
    assert not (tmp_path / "results").exists()


def test_a_node_that_is_killed_mid_run(tmp_path: Path) -> None:
    with node_process() as node:
        plan = write_plan(
            tmp_path, node.entry(), matrix=REPEATED, scenarios=SHORT, thresholds=["rtt.p95 < 200ms"]
        )
        with probe_run(str(plan), cwd=tmp_path) as run:
            wait_for_session(run, tmp_path)
            for pid in (*descendants(node.process.pid), node.process.pid):
                end(pid)
            out, err = run.communicate(timeout=BOUND_S)
    assert run.returncode == 99, err
    assert len([line for line in err.splitlines() if "The node stopped answering: 127.0.0.1" in line]) == 1
    (folder,) = (tmp_path / "results" / "runs").iterdir()
    document = (folder / "summary.json").read_text()
    outcomes = [session["outcome"] for session in json.loads(document)["sessions"]]
    assert outcomes == ["completed", "died", *["unreachable"] * 2]
    # The tables are the same from the packets alone.
    for name in ("summary.json", "verdict.json"):
        (folder / name).unlink()
    again = probe_here("report", folder.name, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (99, out)
    assert json.loads(probe_here("report", folder.name, "--json", cwd=tmp_path).stdout) == json.loads(
        document
    )


def wait_for_session(run: subprocess.Popen[str], folder: Path) -> None:
    """Until the first session is written: the second one has begun, or is about to."""
    until = time.monotonic() + BOUND_S
    while not list(folder.glob("results/runs/*/sessions/*.json")):
        assert run.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(0.5)


def test_a_signal_ends_it_with_what_there_is(node: NodeProcess, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, node.entry(), networks=THIN, matrix=REPEATED, scenarios=SHORT)
    with probe_run(str(plan), "--json", cwd=tmp_path) as run:
        wait_for_session(run, tmp_path)
        family = descendants(run.pid)
        run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=BOUND_S)
    assert run.returncode == 143, err
    document = json.loads(out)
    assert (document["verdict"], document["exit_code"]) == ("interrupted", 143)
    outcomes = [session["outcome"] for session in document["sessions"]]
    assert outcomes == ["completed", "interrupted"]
    assert document["sessions"][0]["counts"]["sent"] > 0
    assert "stopping: what was measured is being kept" in err
    assert len(family) == 2  # a worker and a relay
    wait_until_gone(family)
    again = probe_here("report", document["run_id"], "--json", cwd=tmp_path)
    assert (again.returncode, json.loads(again.stdout)) == (143, document)


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    long = {"voice": {"preset": "voice", "duration": "60s", "deadline": "400ms"}}
    with probe_run(str(write_plan(tmp_path, SIMULATED, scenarios=long)), cwd=tmp_path) as run:
        until = time.monotonic() + BOUND_S
        while len(family := descendants(run.pid)) < 4:  # a node, its media loop, a worker, a relay
            assert run.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        workers = [pid for pid in family if b"net.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)  # so that the end in good order takes its time
        run.send_signal(signal.SIGINT)
        assert run.stderr
        assert any("once more to leave at once" in line for line in run.stderr)
        run.send_signal(signal.SIGINT)
        assert run.wait(BOUND_S) == 130
        for pid in alive(workers):
            os.kill(pid, signal.SIGCONT)
        wait_until_gone(family)
        assert run.stdout
        assert run.stdout.read() == ""


def test_a_killed_run_leaves_nothing_but_its_results(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, SIMULATED, matrix=REPEATED, scenarios=SHORT)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with probe_run(str(plan), "--json", cwd=tmp_path, TMPDIR=str(temporary)) as run:
        wait_for_session(run, tmp_path)
        family = descendants(run.pid)
        assert len(family) >= 3  # a node and its media loop, a worker, mostly a relay
        run.kill()
        run.wait(BOUND_S)
        wait_until_gone(family)
    assert list(temporary.iterdir()) == []
    listed = json.loads(probe_here("runs", "--json", cwd=tmp_path).stdout)["runs"]
    assert [(item["verdict"], item["complete"]) for item in listed] == [(None, False)]
    told = probe_here("report", listed[0]["run_id"], "--json", cwd=tmp_path)
    document = json.loads(told.stdout)
    assert document["verdict"] == "interrupted"
    assert document["sessions"][0]["outcome"] == "completed"
    assert document["sessions"][0]["counts"]["scheduled"] == 75
    assert "Traceback" not in told.stderr


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def may_mount() -> bool:
    if os.geteuid() != 0:
        return False
    tried = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True)
    return tried.returncode == 0


@pytest.mark.skipif(not may_mount(), reason="mounting a small disk needs root")
def test_a_disk_that_is_full(node: NodeProcess, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, node.entry(), matrix=transports("udp", "quic-datagram", "quic-stream"))
    with small_disk(tmp_path / "disk", "40k") as disk:
        told = probe("run", str(plan), "--json", "--results", str(disk), cwd=tmp_path)
        errors = [line for line in told.stderr.splitlines() if line.startswith("error: ")]
        listed = json.loads(probe_here("runs", "--json", "--results", str(disk), cwd=tmp_path).stdout)["runs"]
        report = probe_here("report", listed[0]["run_id"], "--json", "--results", str(disk), cwd=tmp_path)
    assert told.returncode == 3
    assert len(errors) == 1
    assert f"cannot write {disk}" in errors[0]
    assert "no space left on the disk" in errors[0]
    assert "kept of run" in errors[0]
    assert json.loads(told.stdout)["error"]["code"] == "StoreError"
    assert json.loads(report.stdout)["sessions"][0]["counts"]["scheduled"] == 25


def test_a_results_folder_that_cannot_be_written(node: NodeProcess, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    told = probe_here("run", str(write_plan(tmp_path, node.entry())), "--results", "taken", cwd=tmp_path)
    assert told.returncode == 3
    assert "a part of the path is a file, not a folder" in told.stderr
    assert told.stderr.splitlines()[-1].startswith("hint: ")


def test_waiting_ends_with_the_first_signal(node: NodeProcess, tmp_path: Path) -> None:
    hour = time.gmtime().tm_hour
    windows = {
        "peak": {"start": f"{(hour + 5) % 24:02}:00", "end": f"{(hour + 7) % 24:02}:00"},
        "offpeak": {"start": f"{(hour + 10) % 24:02}:00", "end": f"{(hour + 12) % 24:02}:00"},
    }
    plan = write_plan(tmp_path, node.entry(), timezone="UTC", windows=windows)
    with probe_run(str(plan), "--wait", "peak", cwd=tmp_path) as run:
        assert run.stderr
        lines = [run.stderr.readline(), run.stderr.readline()]
        assert "waiting for peak: it opens at" in lines[1]
        assert f"{(hour + 5) % 24:02}:00 UTC" in lines[1]
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=BOUND_S)
    assert run.returncode == 130
