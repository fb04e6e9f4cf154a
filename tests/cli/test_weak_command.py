"""`probe weak` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.plan.library import known_networks


@pytest.mark.slow
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


def test_a_network_is_drawn_with_what_calls_suffer(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(app, ["weak", "show", "lossy-3g", "--duration", "10s"]) == 0
    told = capsys.readouterr().out
    for part in (
        "delay ms",
        "loss %",
        "rate",
        "330 kbit/s",
        "780 kbit/s",
        "↑ up",
        "↓ down",
        "voice",
        "video",
    ):
        assert part in told
    assert "Seed 1." in told


@pytest.mark.slow
def test_the_same_seed_shows_the_same_network(capsys: pytest.CaptureFixture[str]) -> None:
    documents = []
    for seed in ("5", "5", "6"):
        assert (
            execute(app, ["weak", "show", "loss-10-burst", "--duration=10s", f"--seed={seed}", "--json"]) == 0
        )
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0] == documents[1] != documents[2]
    voice = documents[0]["calls"][0]
    assert voice["counts"]["scheduled"] == 500
    assert voice["up"]["sent"] == 500
    assert len(documents[0]["up"]["loss_ratio"]) == documents[0]["slices"]


def test_what_cannot_be_shown_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert execute(app, ["weak", "show", "lossy3g"]) == 2
    assert "did you mean 'lossy-3g'?" in capsys.readouterr().err
    assert execute(app, ["weak", "show", "3g", "--duration", "1h"]) == 2
    assert "--duration 1h: give 1s to 10m" in capsys.readouterr().err
    (tmp_path / "odd.yaml").write_text("both: {loss: {ratio: 10%, netem_correlation: 25%}}\n")
    assert execute(app, ["weak", "show", str(tmp_path / "odd.yaml"), "--duration", "1s", "--quiet"]) == 0
    assert "loses 1.8 %, not 10 %" in capsys.readouterr().err
