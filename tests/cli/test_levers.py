"""Opt-in levers are tried before anything is sent, and refused in a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from probe.cli.levers import punctuality
from probe.errors import ConfigError, NotMeasured
from probe.net import punctual
from probe.net.punctual import ORDINARY, Privileges, Punctuality, require
from tests.nodes import write_plan


def test_nothing_is_asked_for_by_default() -> None:
    assert punctuality(rt=False, low_latency=False, spin=None) == ORDINARY


def test_a_spin_is_bounded() -> None:
    assert punctuality(rt=False, low_latency=False, spin="200us") == Punctuality(spin_ns=200_000)
    for text, told in (
        ("200", "has no unit"),
        ("1s", "goes from 20us to 400us"),
        ("0us", "goes from 20us to 400us"),
    ):
        with pytest.raises(ConfigError, match=rf"^--spin {text}: .*{told}") as refused:
            punctuality(rt=False, low_latency=False, spin=text)
        assert refused.value.hint


PINNED = f"sha256:{'0' * 64}"


def refuse(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="no scheduling classes here")
def test_real_time_without_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(NotMeasured, match=r"^--rt: ") as refused:
        require(punctuality(rt=True, low_latency=False, spin=None))
    assert refused.value.exit_status == 3
    assert "prlimit" in refused.value.hint
    privileges = Privileges(Punctuality(realtime=True, spin_ns=50_000))
    assert privileges.granted() == {"realtime": False, "low_latency": False, "spin_us": 50.0}


def test_low_latency_is_held_until_it_is_dropped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "cpu_dma_latency"
    device.touch()
    monkeypatch.setattr(punctual, "LINUX", True)
    monkeypatch.setattr(punctual, "DMA_LATENCY", device)
    privileges = Privileges(Punctuality(low_latency=True))
    assert privileges.low_latency
    assert device.read_bytes() == bytes(4)
    held = privileges._latency_fd
    os.fstat(held)
    privileges.drop()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(held)
    device.unlink()
    with pytest.raises(NotMeasured, match=r"^--low-latency: .*cpu_dma_latency") as refused:
        require(punctuality(rt=False, low_latency=True, spin=None))
    assert "cpu_dma_latency" in refused.value.hint


def test_a_run_that_may_not_is_refused_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from probe.cli import app
    from probe.cli.failures import execute

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    monkeypatch.setenv("NODE_KEY", "a key")
    monkeypatch.setenv("PROBE_NODE_KEY", "a shared key of a test")
    plan = write_plan(tmp_path, {"name": "n1", "endpoint": "probe://127.0.0.1:1", "fingerprint": PINNED})
    results = tmp_path / "results"
    for command in (["run"], ["gate"], ["campaign", "--days", "1"]):
        assert execute(app, [*command, str(plan), "--rt", "--results", str(results)]) == 3
        assert capsys.readouterr().err.startswith("error: --rt: ")
    assert execute(app, ["node", "--rt", "--listen", "127.0.0.1:0", "--ephemeral"]) == 3
    assert capsys.readouterr().err.startswith("error: --rt: ")
    # What is wrong with the plan comes first.
    assert execute(app, ["run", str(tmp_path / "missing.yaml"), "--rt"]) == 2
    assert not results.exists()
