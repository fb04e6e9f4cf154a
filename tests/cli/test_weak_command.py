"""`probe weak` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.plan.library import known_networks


def test_the_list_names_every_network_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, ["weak", "list"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in known_networks())
    assert told.count("source: ") == len(known_networks())


def test_the_list_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, ["weak", "list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [network["name"] for network in document["networks"]] == known_networks()
    assert document["problems"] == []


def test_a_broken_file_does_not_hide_the_other_networks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "profiles" / "networks").mkdir(parents=True)
    (tmp_path / "profiles" / "networks" / "mine.yaml").write_text("up: {delay: -1ms}\n")
    monkeypatch.chdir(tmp_path)
    assert execute(app, ["weak", "list", "--quiet"]) == 0
    told = capsys.readouterr()
    assert "lossy-3g" in told.out.split()
    assert "mine" not in told.out
    assert "profiles/networks/mine.yaml:1:" in told.err
