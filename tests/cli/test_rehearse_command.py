"""`probe rehearse` as people and scripts call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.cli import app
from probe.cli.failures import execute
from tests.session.test_rehearsal import PLAN, write_networks

FAILING = PLAN.replace("duration: 4s", "duration: 1s")


@pytest.mark.slow
def test_a_rehearsal_ends_with_what_the_plan_can_find_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.yaml").write_text(FAILING.replace("min_packets: 150", "min_packets: 50"))
    write_networks(tmp_path)
    asked = ["rehearse", "plan.yaml", "--days", "7", "--seed", "2"]
    assert execute(app, [*asked, "--out", "markdown=r.md"]) == 0  # no vendor was judged
    out, err = capsys.readouterr()
    assert "84 sessions" in out
    assert "transport  sessions" in out  # a row a cell
    assert "FAIL: " in out
    assert "(exit code 0)" in out
    last = out[out.index("What this plan can find out  EMULATED") :]
    assert "voice clean udp: detects an evening shift of " in last
    assert "with 90 % power in 7 days; 6 days are the least that allow a verdict." in last
    assert "  with --days 14: " in last
    assert "rehearsed 84 of 84 sessions" in err
    assert Path("r.md").exists()
    assert execute(app, ["rehearse", "plan.yaml", "--days", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["emulated"], document["exit_code"], len(document["sessions"])) == (True, 0, 12)
    (found,) = document["rehearsal"]["findings"]
    assert (found["least_days"], found["nodes"]) == (6, 2)
    assert [item["days"] for item in found["shifts"]] == [6]
