from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.errors import ConfigError
from probe.plan.load import load_plan
from probe.plan.loaded import plan_from_manifest, with_duration
from probe.plan.show import resolved_yaml
from tests.plan.plan_text import GOOD, SECRETS, changed, load, mistakes

MS = 1_000_000


def test_a_good_plan_becomes_numbers() -> None:
    loaded = load()
    plan = loaded.plan
    assert not loaded.warnings
    assert plan.country == "ID"
    assert plan.title["zh"] == "印度尼西亚"
    assert (plan.windows["peak"].start, plan.windows["peak"].end) == (19 * 60, 23 * 60)
    assert plan.windows["offpeak"].days[0] == "mon"
    assert plan.scenarios["voice"].deadline == 200 * MS
    assert plan.scenarios["video"].bitrate == 1_200_000
    assert plan.scenarios["video"].recovery.nack
    node = plan.vendors[0].nodes[0]
    assert (node.endpoint.host, node.endpoint.port) == ("jkt1.alpha.example", 40000)
    assert plan.vendors[0].nodes[1].endpoint.emulated
    assert sorted(loaded.networks) == ["clean", "id-4g-day", "id-4g-evening", "lossy-3g"]


def test_thresholds_know_their_line() -> None:
    loaded = load()
    assert [(item.file, item.line) for item in loaded.thresholds] == [("plan.yaml", 25), ("plan.yaml", 26)]
    assert loaded.thresholds[1].scope == {"network": "lossy-3g"}
    assert loaded.evidence.min_packets == 500
    assert loaded.evidence.confidence == 0.95


def test_norway_and_seven_in_the_evening_stay_what_they_are() -> None:
    plan = load(changed("country: ID", "country: NO")).plan
    assert plan.country == "NO"
    assert plan.windows["peak"].start == 19 * 60


def test_secrets_are_there_and_nowhere_to_be_seen() -> None:
    loaded = load()
    key = loaded.plan.vendors[0].key
    assert key is not None
    assert key.get_secret_value() == SECRETS["ALPHA_KEY"]
    shown = json.dumps(loaded.resolved()) + resolved_yaml(loaded) + repr(loaded) + str(loaded.plan)
    assert "***" in shown
    assert "geheim" not in shown
    assert "zwei" not in shown


def test_a_manifest_reads_back_without_files_and_secrets() -> None:
    loaded = load()
    document = json.loads(json.dumps(loaded.resolved(), allow_nan=False))
    again = plan_from_manifest(document)
    assert again.networks == loaded.networks
    assert again.thresholds == loaded.thresholds
    assert again.evidence == loaded.evidence
    assert again.resolved() == loaded.resolved()


def test_another_manifest_is_refused() -> None:
    document = load().resolved()
    with pytest.raises(ConfigError, match="the manifest's plan cannot be read"):
        plan_from_manifest(document | {"plan": {"version": 1}})
    with pytest.raises(ConfigError, match="the manifest's plan cannot be read"):
        plan_from_manifest({})


def test_a_plan_is_found_as_given_then_in_profiles_then_packaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_plan("indonesia.yaml", {}).origin == "packaged"
    assert load_plan("indonesia", {}).origin == "packaged"
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "indonesia.yaml").write_text(GOOD)
    assert load_plan("indonesia.yaml", SECRETS).origin == "profiles"
    (tmp_path / "indonesia.yaml").write_text(GOOD)
    found = load_plan("indonesia.yaml", SECRETS)
    assert (found.origin, found.path) == ("given", Path("indonesia.yaml"))


def test_a_plan_that_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refusal:
        load_plan("indonesai.yaml", {})
    assert str(refusal.value) == (
        "no plan 'indonesai.yaml': looked at indonesai.yaml, profiles/indonesai.yaml and the packaged plans"
    )
    assert refusal.value.hint == "did you mean 'indonesia.yaml'?"
    with pytest.raises(ConfigError, match="is a directory, not a plan"):
        load_plan(str(tmp_path), {})


def test_extending_merges_and_this_file_wins(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(GOOD)
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "mine.yaml").write_text("up: {delay: 5ms}\n")
    (tmp_path / "nets" / "more.yaml").write_text("networks: [clean, ./mine.yaml]\n")
    (tmp_path / "top.yaml").write_text(
        """\
extends: [base.yaml, nets/more.yaml]
country: MY
scenarios:
  voice: {duration: 5s}
vendors:
  - {name: alpha, nodes: [{name: jkt-1, city: Bandung}]}
  - {name: beta, nodes: [{name: kul-1, endpoint: emulated, path: {peak: 4g, offpeak: 4g}}]}
matrix:
  - {scenarios: [voice], networks: [mine]}
thresholds: [rtt.p50 < 1s]
"""
    )
    loaded = load_plan(tmp_path / "top.yaml", SECRETS)
    plan = loaded.plan
    assert plan.country == "MY"
    assert plan.timezone == "Asia/Jakarta"
    assert plan.scenarios["voice"].duration == 5_000 * MS
    assert plan.scenarios["voice"].deadline == 200 * MS
    assert [vendor.name for vendor in plan.vendors] == ["alpha", "beta"]
    assert plan.vendors[0].nodes[0].city == "Bandung"
    assert plan.vendors[0].nodes[0].isp == "telkom"
    assert [node.name for node in plan.vendors[0].nodes] == ["jkt-1", "sim-1"]
    assert loaded.networks["mine"].up.delay_ns == 5 * MS
    assert [item.expression.text for item in loaded.thresholds] == ["rtt.p50 < 1s"]
    assert loaded.thresholds[0].line == 10


def test_a_mistake_in_an_extended_plan_has_that_plans_place(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(changed("nack: true", "nack: 5"))
    (found,) = mistakes("extends: [base.yaml]\ncountry: TH\n", tmp_path / "top.yaml")
    assert (Path(found.mark.file).name, found.mark.line) == ("base.yaml", 19)


def test_extending_in_a_circle_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: [b.yaml]\n" + GOOD)
    (tmp_path / "b.yaml").write_text("extends: [a.yaml]\n" + GOOD)
    text = (tmp_path / "a.yaml").read_text()
    assert [item.message for item in mistakes(text, tmp_path / "a.yaml")] == [
        "'a.yaml' extends this plan in turn"
    ]
    (found,) = mistakes("extends: [aa.yaml]\n" + GOOD, tmp_path / "c.yaml")
    assert found.message == "no plan 'aa.yaml' to extend beside this one, did you mean 'a.yaml'?"


def test_defaults_are_filled_in() -> None:
    short = """\
version: 1
country: TH
timezone: Asia/Bangkok
vendors: [{name: v, nodes: [{name: n, endpoint: emulated, path: {peak: 4g-evening, offpeak: 4g-day}}]}]
scenarios: {voice: {preset: voice, duration: 5s}, live: {preset: live, duration: 5s}}
"""
    plan = load(short).plan
    assert list(plan.windows) == ["peak", "offpeak"]
    assert plan.networks == ("clean",)
    assert plan.scenarios["voice"].deadline == 200 * MS
    assert plan.scenarios["live"].bitrate == 2_500_000
    assert plan.scenarios["live"].stream.one_way
    assert plan.store.path == "results"


def test_going_live_takes_an_endpoint_and_leaves_a_warning_about_the_path() -> None:
    loaded = load(changed("endpoint: emulated,", 'endpoint: "probe://[2001:db8::1]:40000",'))
    assert str(loaded.plan.vendors[0].nodes[1].endpoint) == "probe://[2001:db8::1]:40000"
    (warning,) = loaded.warnings
    assert warning.message == (
        "the path of 'sim-1' plays no part: a real node has a real path, so delete this key"
    )


def test_quic_beyond_what_it_carries_is_a_warning() -> None:
    loaded = load(changed("scenarios: [voice], ", "scenarios: [video], "))
    (warning,) = loaded.warnings
    assert warning.message.startswith(
        "'video' over quic-datagram sends 1200kbps: above 500kbps a path with loss"
    )


def test_a_cafile_is_beside_its_plan(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    plan = load(changed("isp: telkom}", "isp: telkom, cafile: ca.pem}"), tmp_path / "plan.yaml").plan
    assert plan.vendors[0].nodes[0].cafile == str(tmp_path / "ca.pem")


def test_another_duration_for_all() -> None:
    plan = with_duration(load(), 3_000 * MS).plan
    assert {scenario.duration for scenario in plan.scenarios.values()} == {3_000 * MS}
    with pytest.raises(ConfigError, match="too short for one packet of 'voice'"):
        with_duration(load(), 10 * MS)


def test_the_shipped_plan_loads_without_any_environment() -> None:
    loaded = load_plan("indonesia.yaml", {})
    assert not loaded.warnings
    assert {"id-4g-evening", "id-4g-evening-congested", "id-4g-day", "lossy-3g"} <= set(loaded.networks)
