"""`probe weak check` against a real node: clean and weak side by side, stored as any run."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from probe.analysis.results import Assessment
from probe.cli import app
from probe.cli.failures import execute
from probe.impairment.profile import NetworkProfile
from probe.plan.library import load_network
from probe.report.weak_check import applied_table, check_table
from probe.session.run import judge_run
from tests.nodes import KEY, node_process

pytestmark = pytest.mark.net


def test_clean_and_weak_are_measured_in_turn_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, key, results = tmp_path / "slow.yaml", tmp_path / "key", str(tmp_path / "results")
    network.write_text("source: the test\nup: {delay: 30ms}\ndown: {delay: 20ms}\n")
    key.write_text(KEY + "\n")
    with node_process() as node:
        arguments = [str(network), f"{node.host}:{node.port}", "--fingerprint", node.fingerprint]
        arguments += [
            "--key-file",
            str(key),
            "--duration",
            "500ms",
            "--repeat",
            "1",
            "--video-rate",
            "300kbps",
        ]
        code = execute(app, ["weak", "check", *arguments, "--results", results, "--json"])
    told = capsys.readouterr()
    assert code == 4, told.err  # 25 packets decide nothing
    document = json.loads(told.out)
    assert document["exit_code"] == 4
    assert document["emulated"] is False
    cells = {(session["scenario"], session["network"]): session for session in document["sessions"]}
    assert set(cells) == {(call, name) for call in ("voice", "video") for name in ("clean", "slow")}
    for call in ("voice", "video"):
        assert cells[call, "slow"]["rtt_ms"]["min"] >= 50
        assert cells[call, "clean"]["rtt_ms"]["min"] < 50
    rows = document["check"]["rows"]
    judged = [row for row in rows if "verdict" in row]
    assert [row["metric"] for row in judged] == ["up.residual", "down.residual"] * 2
    assert all(row["verdict"] == "inconclusive" and row["reason"] for row in judged)
    trips = {row["scenario"]: row for row in rows if row["metric"] == "rtt.p50"}
    assert trips["voice"]["clean"]["n"] == trips["voice"]["weak"]["n"] == 25
    assert trips["voice"]["weak"]["value"] >= 50
    shown = drawn(judge_run(Path(results), document["run_id"]), load_network(str(network)))
    assert re.search(r"voice +↑ up +0 +0\.00 \(0/\d+\) +0\.00 \(0/25\) +30 +30\.\d", shown)
    assert re.search(r"↓ down +0 +0\.00 \(0/\d+\) +0\.00 \(0/25\) +20 +20\.\d", shown)
    assert shown.count("? inconclusive") == 4
    # What is kept is a run as any other.
    assert execute(app, ["report", document["run_id"], "--results", results, "--json"]) == 4
    again = json.loads(capsys.readouterr().out)
    assert again["thresholds"] == document["thresholds"]


def drawn(assessment: Assessment, network: NetworkProfile) -> str:
    console = Console(width=160, file=StringIO())
    console.print(check_table(assessment, network))
    console.print(applied_table(assessment, network))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = execute(app, ["weak", "check", *arguments])
    return code, capsys.readouterr().err


def test_what_cannot_be_checked_is_said_before_a_packet_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROBE_KEY", raising=False)
    assert refused(capsys, "lossy-3g", "127.0.0.1:9") == (
        2,
        "error: the node's shared key is missing\nhint: give it with --key-file FILE, or in $PROBE_KEY\n",
    )
    monkeypatch.setenv("PROBE_KEY", KEY)
    for arguments, sentence in (
        (["lossy3g", "127.0.0.1:9"], "did you mean 'lossy-3g'?"),
        (["clean", "127.0.0.1:9"], "'clean' does nothing to packets"),
        (["lossy-3g", "127.0.0.1"], "127.0.0.1 is no host and port"),
        (["lossy-3g", "127.0.0.1:9", "--duration", "10"], "--duration 10: '10' has no unit"),
        (["lossy-3g", "127.0.0.1:9", "--duration", "1ms"], "1ms is too short for one packet"),
        (["lossy-3g", "127.0.0.1:9", "--video-rate", "1kbps"], "a video stream needs"),
        (["lossy-3g", "127.0.0.1:9", "--fingerprint", "sha256:zz"], "fingerprint"),
        (
            ["lossy-3g", "127.0.0.1:9", "--cafile", "nowhere.pem"],
            "--cafile nowhere.pem: there is no such file",
        ),
    ):
        code, told = refused(capsys, *arguments, "--results", str(tmp_path / "results"))
        assert code == 2, told
        assert sentence in told
    assert not (tmp_path / "results").exists()
