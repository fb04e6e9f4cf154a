"""`probe campaign` and `probe status` as people and scripts call them, about a campaign that is over or to come."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.plan.load import load_plan
from probe.report.campaign import unopened
from probe.session.appointed import record_of, spec_of
from probe.session.campaign import Campaign, CampaignOptions, open_campaign
from probe.session.diary import lanes_of
from probe.session.virtual import run_virtual
from probe.store.resume import only_writer
from probe.store.writer import RunWriter
from tests.session.short_campaign import PLAN

NOW = datetime.now(UTC)
JUDGED = (
    PLAN
    + """
thresholds: [rtt.p50 < 900ms, "{expr: rtt.p50 < 1ms, severity: warn}"]
evidence: {min_packets: 50, block: 1s}
""".replace('"', "")
)

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.yaml").write_text(JUDGED)
    return lambda *arguments: execute(app, list(arguments))


def begun(days_ago: float, days: int = 1, now: datetime = NOW) -> Campaign:
    given = CampaignOptions(Path("results"), days, 7)
    return open_campaign(load_plan("plan.yaml"), given, now - timedelta(days=days_ago))


def measure(campaign: Campaign, but: int = 0) -> None:
    """Every session of the diary but the first so many, in virtual time."""
    loaded = load_plan("plan.yaml")
    lanes = lanes_of(loaded.plan)
    with RunWriter(campaign.results, campaign.manifest, resume=True) as writer:
        for one in campaign.diary[but:]:
            lane = lanes[one.vendor, one.node][one.window]
            spec = spec_of(lane, one)
            record = record_of(campaign.manifest, one, lane, spec, one.starts)
            networks = [loaded.networks[name] for name in (spec.path, spec.network) if name is not None]
            rows = run_virtual(record, spec.scenario.stream, networks, int(one.starts.timestamp()) * 10**9)
            writer.add_rows(record, rows)
            writer.finish_session(record)


@pytest.mark.slow
def test_a_campaign_that_is_over_tells_its_verdict_once(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    # From noon on: at other hours its end cuts the evening short, and a verdict lacks evidence.
    campaign = begun(2, now=NOW.replace(hour=12, minute=0, second=0, microsecond=0))
    measure(campaign, but=3)
    told = ("campaign", "plan.yaml", "--days", "1", "--once")
    assert run(*told, "--json", "--out", "junit=j.xml") == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["run_id"], document["verdict"], document["exit_code"]) == (campaign.run_id, "pass", 0)
    due = len(campaign.diary)
    assert len(document["sessions"]) == due - 3
    assert f"measured {due - 3} of {due} sessions due ({(due - 3) / due:.0%}".replace("%", " %") in err
    assert "), 3 missed, 0 to come" in err
    assert Path("j.xml").read_text().startswith("<?xml")
    verdict = json.loads((Path("results/runs") / campaign.run_id / "verdict.json").read_text())
    assert verdict["verdict"] == "pass"
    assert run("report", campaign.run_id, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["thresholds"] == document["thresholds"]
    assert run("report", campaign.run_id) == 0
    assert f"{due - 3} of {due} planned sessions" in capsys.readouterr().out
    assert run(*told, "--quiet") == 0
    out, err = capsys.readouterr()
    assert out.startswith("✓ PASS: ")
    assert err == ""
    assert len(list(Path("results/runs").glob("2*"))) == 1


def test_nothing_measured_is_not_measured(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    begun(2)
    assert run("campaign", "plan.yaml", "--days", "1", "--once") == 3
    assert capsys.readouterr().err.endswith("nothing was measured\n")


@pytest.mark.slow
def test_status_of_a_campaign_from_another_process(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status") == 2
    assert "there is no campaign in results" in capsys.readouterr().err
    campaign = begun(0.0, days=2)
    with only_writer(Path("results"), campaign.run_id):
        assert run("status", "--json") == 0
        document = json.loads(capsys.readouterr().out)
        assert document["running"]
        assert document["sessions"] == {
            "measured": 0,
            "missed": 0,
            "not_quiet": 0,
            "to_come": len(campaign.diary),
        }
        assert document["next"]["index"] == 0
        assert run("campaign", "plan.yaml", "--days", "2") == 2
        assert f"campaign {campaign.run_id} is being measured by another process" in capsys.readouterr().err
    assert run("status") == 0
    out, _ = capsys.readouterr()
    assert "nobody is measuring it" in out
    assert "next: " in out
    assert run("status", "--quiet") == 0
    left = len(campaign.diary)
    assert capsys.readouterr().out == f"measured 0 of 0 sessions due, 0 missed, {left} to come\n"


def test_several_campaigns_are_told_apart(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    first = begun(0.1, days=3)
    Path("plan.yaml").write_text(PLAN.replace("repeat: 4", "repeat: 2"))
    second = begun(0.0, days=3)
    assert run("status", first.run_id, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["run_id"], document["other_campaigns"]) == (first.run_id, [second.run_id])
    assert run("status", "1999") == 2
    assert "'1999' fits no campaign in results" in capsys.readouterr().err


def test_a_window_that_never_opens_is_told(run: Run) -> None:
    in_three_days = f"{NOW + timedelta(days=3):%a}".lower()
    Path("plan.yaml").write_text(PLAN.replace("end: 23:00}", f"end: 23:00, days: [{in_three_days}]}}"))
    assert unopened(begun(0.0)) == ["peak"]
    Path("plan.yaml").write_text(PLAN)
    assert unopened(begun(0.0)) == []


def test_what_is_asked_of_it_is_checked_first(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("campaign", "plan.yaml", "--days", "1", "--max-bytes", "2") == 2
    assert "--max-bytes 2: " in capsys.readouterr().err
    assert run("campaign", "plan.yaml", "--days", "1", "--max-rate", "10kbps") == 2
    assert "--max-rate allows 10" in capsys.readouterr().err
    assert run("campaign", "plan.yaml", "--days", "1", "--out", "nothing") == 2
    assert not Path("results").exists()
