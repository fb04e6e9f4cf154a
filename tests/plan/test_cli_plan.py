from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from probe.cli.plan import app
from probe.errors import ConfigError, ExitStatus
from tests.plan.plan_text import GOOD, SECRETS, changed

RUNNER = CliRunner()


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "plan.yaml"
    path.write_text(GOOD)
    return path


def test_check_says_ok(plan: Path) -> None:
    result = RUNNER.invoke(app, ["check", "plan.yaml"])
    assert result.exit_code == 0
    assert result.stdout == "plan.yaml: OK, 1 vendor, 2 nodes, 1 control, 2 scenarios, 2 thresholds\n"


def test_check_raises_all_mistakes(plan: Path) -> None:
    plan.write_text(changed("nack: true", "nak: true"))
    result = RUNNER.invoke(app, ["check", "plan.yaml"])
    assert isinstance(result.exception, ConfigError)
    assert "plan.yaml:19:79: unknown key 'nak', did you mean 'nack'?" in str(result.exception)


def test_check_as_json_is_one_document(plan: Path) -> None:
    assert json.loads(RUNNER.invoke(app, ["check", "plan.yaml", "--json"]).stdout)["ok"] is True
    plan.write_text(changed("nack: true", "nak: true"))
    result = RUNNER.invoke(app, ["check", "plan.yaml", "--json"])
    assert result.exit_code == ExitStatus.CONFIG
    (mistake,) = json.loads(result.stdout)["errors"]
    assert (mistake["line"], mistake["message"]) == (19, "unknown key 'nak', did you mean 'nack'?")


def test_show_tells_what_when_and_no_secret(plan: Path) -> None:
    result = RUNNER.invoke(app, ["show", "plan.yaml"])
    assert result.exit_code == 0
    for word in ("***", "What would be sent", "Mbit/s", "When windows open", "Asia/Jakarta", "19:00 +07:00"):
        assert word in result.stdout, word
    assert "geheim" not in result.output


def test_show_as_json(plan: Path) -> None:
    document = json.loads(RUNNER.invoke(app, ["show", "plan.yaml", "--json"]).stdout)
    assert document["plan"]["vendors"][0]["key"] == "***"
    assert document["total"]["sessions"] == sum(len(node["sessions"]) for node in document["nodes"])
    peak = next(row for row in document["windows"] if row["window"] == "peak")
    assert peak["opens_utc"].endswith("T12:00:00+00:00")
    assert peak["opens_local"].endswith("T19:00:00+07:00")


def test_new_writes_once(plan: Path) -> None:
    assert "country: TH" in RUNNER.invoke(app, ["new", "thailand"]).stdout
    result = RUNNER.invoke(app, ["new", "thailand", "-o", "thailand.yaml"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "probe run thailand.yaml" in Path("thailand.yaml").read_text()
    assert RUNNER.invoke(app, ["check", "thailand.yaml"]).exit_code == 0
    result = RUNNER.invoke(app, ["new", "laos", "-o", "thailand.yaml"])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == "thailand.yaml exists already"
    assert RUNNER.invoke(app, ["new", "laos", "-o", "thailand.yaml", "--force"]).exit_code == 0


def test_schema_is_printed(plan: Path) -> None:
    assert json.loads(RUNNER.invoke(app, ["schema"]).stdout)["title"] == "probe country plan"
    assert json.loads(RUNNER.invoke(app, ["schema", "--network"]).stdout)["title"] == "probe network profile"
