"""A rehearsal finds what its paths were given, in the store as everything else, and repeats by its seed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.hours import HOURS
from probe.analysis.power import detected, findings
from probe.analysis.results import DEGRADED, NOT_DEGRADED
from probe.errors import ConfigError
from probe.plan.load import load_plan
from probe.session.rehearsal import Rehearsed, rehearse
from probe.session.run import judge_run
from probe.store.reader import load_run

PLAN = (
    HOURS
    + """\
vendors:
  - name: steady
    nodes: [{name: n-1, endpoint: emulated, path: {peak: ./day.yaml, offpeak: ./day.yaml}}]
  - name: slow
    nodes: [{name: n-1, endpoint: emulated, path: {peak: ./evening.yaml, offpeak: ./day.yaml}}]
scenarios:
  voice: {preset: voice, duration: 4s}
networks:
  - clean
matrix:
  - {scenarios: [voice], networks: [clean], repeat: 3}
thresholds: [rtt.p50 < 50ms]
evidence: {min_packets: 150, block: 1s, min_days: 6}
"""
)
NETWORK = (
    "{{title: {0}, source: test, up: {{delay: {1}ms, jitter: 3ms}}, down: {{delay: 20ms, jitter: 3ms}}}}"
)
NOW = datetime(2026, 11, 22, 5, tzinfo=UTC)


def write_networks(folder: Path) -> None:
    (folder / "day.yaml").write_text(NETWORK.format("day", 20))
    (folder / "evening.yaml").write_text(NETWORK.format("evening", 45))


def measured(folder: Path, seed: int = 4, workers: int = 2, days: int = 8) -> Rehearsed:
    path = folder / "plan.yaml"
    path.write_text(PLAN)
    write_networks(folder)
    return rehearse(
        load_plan(str(path)),
        folder / "results",
        days=days,
        seed=seed,
        now=NOW,
        progress=lambda _done, _of: None,
        workers=workers,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rehearsal")


@pytest.fixture(scope="module")
def rehearsed(folder: Path) -> Rehearsed:
    return measured(folder)


@pytest.mark.slow
def test_evening_verdicts_match_what_the_paths_were_given(rehearsed: Rehearsed) -> None:
    rows = {(row.vendor, row.metric): row for row in rehearsed.assessment.peak}
    assert rows["steady", "rtt.p95"].verdict == NOT_DEGRADED
    assert rows["slow", "rtt.p95"].verdict == DEGRADED
    shift = rows["slow", "rtt.p95"].shift
    assert shift is not None
    assert 15 < shift < 35  # 25 ms, give or take what the days differ
    assert rehearsed.assessment.emulated


@pytest.mark.slow
def test_it_is_stored_as_any_run(folder: Path, rehearsed: Rehearsed) -> None:
    run_id = rehearsed.manifest["run_id"]
    stored = load_run(folder / "results", run_id)
    assert stored.problems == []
    assert len(stored.sessions) == len(rehearsed.manifest["diary"]) == 2 * 2 * 3 * 8
    assert all(session.record.emulated and session.record.appointment for session in stored.sessions)
    again = judge_run(folder / "results", run_id)
    assert again.peak == rehearsed.assessment.peak
    assert again.thresholds == rehearsed.assessment.thresholds
    assert len(again.thresholds) > 2


@pytest.mark.slow
def test_the_same_seed_gives_the_same_packets(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = measured(tmp_path / "a", days=1, workers=1), measured(tmp_path / "b", days=1)
    for one, other in zip(first.assessment.sessions, second.assessment.sessions, strict=True):
        assert one.rtt_ms == other.rtt_ms
        assert one.record.seed == other.record.seed


@pytest.mark.slow
def test_the_stated_power_holds_with_other_seeds(rehearsed: Rehearsed, folder: Path) -> None:
    evidence = load_plan(str(folder / "plan.yaml")).evidence
    (found,) = findings(rehearsed.assessment.sessions, evidence, 8, seed=1, simulations=60)
    assert found.least_days == 6
    shift = found.shifts[8]
    assert shift is not None
    assert shift > 10  # the margin itself
    # Moved sessions, judged one campaign after the other, say the same.
    assert detected(rehearsed.assessment.sessions, evidence, 8, shift, 1, simulations=60) >= 0.9
    assert detected(rehearsed.assessment.sessions, evidence, 8, shift - 0.5, 1, simulations=60) < 0.9
    for seed in (2, 3):
        assert detected(rehearsed.assessment.sessions, evidence, 8, shift, seed, simulations=60) > 0.75
        assert detected(rehearsed.assessment.sessions, evidence, 8, shift / 2, seed, simulations=60) < 0.5


def test_a_node_without_a_path_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "0123456789abcdef")
    real = '[{name: n-1, endpoint: "probe://192.0.2.1:40000", key: "${KEY}"}]'
    text = PLAN.replace(
        "[{name: n-1, endpoint: emulated, path: {peak: ./evening.yaml, offpeak: ./day.yaml}}]", real
    )
    (tmp_path / "plan.yaml").write_text(text)
    write_networks(tmp_path)
    loaded = load_plan(str(tmp_path / "plan.yaml"))
    with pytest.raises(ConfigError, match="'n-1' of slow has no path for the window 'peak'"):
        rehearse(loaded, tmp_path, days=1, seed=1, now=NOW, progress=lambda _done, _of: None)


@pytest.mark.slow
def test_sessions_over_quic_are_rehearsed_as_well(tmp_path: Path) -> None:
    text = PLAN.replace("networks: [clean], repeat: 3", "transports: [udp, quic-datagram, quic-stream]")
    (tmp_path / "plan.yaml").write_text(text.replace("duration: 4s", "duration: 1s"))
    write_networks(tmp_path)
    loaded = load_plan(str(tmp_path / "plan.yaml"))
    found = rehearse(
        loaded, tmp_path / "r", days=1, seed=1, now=NOW, progress=lambda _done, _of: None, workers=1
    )
    transports = Counter(summary.record.transport for summary in found.assessment.sessions)
    assert transports == {"udp": 4, "quic-datagram": 4, "quic-stream": 4}
    assert all(summary.counts["on_time"] for summary in found.assessment.sessions)
