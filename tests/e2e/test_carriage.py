"""Whole sessions over the sockets that every system has, and over ours with all levers pulled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probe.errors import NotMeasured
from probe.net.punctual import Punctuality, require
from tests.nodes import probe, probe_here, write_plan

pytestmark = pytest.mark.net

THIN: list[dict[str, Any]] = [{"name": "thin", "up": {"delay": "5ms"}, "down": {"delay": "5ms"}}]


def sessions_of(tmp_path: Path, *arguments: str, transports: list[str]) -> list[dict[str, Any]]:
    """One through a relay to a node of our own for each transport."""
    plan = write_plan(
        tmp_path,
        {"name": "sim", "endpoint": "emulated", "path": {"peak": "clean"}},
        networks=THIN,
        matrix=[{"scenarios": ["voice"], "transports": transports, "windows": ["peak"]}],
        windows={"peak": {"start": "19:00", "end": "23:00"}},
    )
    told = probe("run", str(plan), "--json", *arguments, cwd=tmp_path)
    document = json.loads(told.stdout)
    assert (told.returncode, document.get("verdict")) == (0, "pass"), told.stderr
    sessions: list[dict[str, Any]] = document["sessions"]
    for session in sessions:
        counts = session["counts"]
        assert counts["on_time"] + counts["unsent_host_late"] == counts["scheduled"] == 25
        assert session["rtt_ms"]["min"] >= 10
    return sessions


def test_plain_sockets_measure_everything(tmp_path: Path) -> None:
    sessions = sessions_of(tmp_path, "--plain-sockets", transports=["udp", "quic-datagram", "quic-stream"])
    assert len(sessions) == 3
    for session in sessions:
        assert session["quality"]["carrier"] == "plain"
        assert session["quality"]["stamps"]["sent"] == "user"
        assert session["quality"]["stamps"]["received"] == "user"
        assert session["quality"]["stamps_checked"] == {"sent": False, "received": False}
        if session["transport"] == "udp":
            assert set(session["quality"]["stamps"].values()) == {"user"}
        assert session["quality"]["node_cpu_share"] > 0
    told = probe_here("report", "--results", "results", _newest(tmp_path), cwd=tmp_path).stdout
    assert "Plain sockets, one call a packet, in 3 sessions." in told


def _newest(folder: Path) -> str:
    (run,) = (folder / "results" / "runs").iterdir()
    return run.name


def may_be_real_time() -> bool:
    try:
        require(Punctuality(realtime=True))
    except NotMeasured:
        return False
    return True


@pytest.mark.skipif(not may_be_real_time(), reason="real time (SCHED_FIFO) needs permission")
def test_levers_are_told_in_every_session(tmp_path: Path) -> None:
    sessions = sessions_of(tmp_path, "--rt", "--spin", "200us", transports=["udp", "quic-datagram"])
    for session in sessions:
        levers = {"realtime": True, "low_latency": False, "spin_us": 200.0}
        assert session["quality"]["punctuality"] == {"asked": levers, "granted": levers}
    told = probe_here("report", "--results", "results", _newest(tmp_path), cwd=tmp_path).stdout
    assert "Asked for: --rt, --spin." in told
