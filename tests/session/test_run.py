"""Whole runs against real node processes, in the test's own event loop."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from probe.errors import ConfigError, NotMeasured, StoreError
from probe.metrics import NEVER
from probe.net.address import Address
from probe.net.quic import connect_control
from probe.session import emulated, target
from probe.session.run import RunOptions, prepare
from probe.store.reader import load_run
from probe.store.writer import RunWriter
from tests.nodes import KEY, NodeProcess, node_process, transports, write_plan
from tests.quic_loopback import closed_port, silent_port
from tests.quic_parts import request
from tests.session.measuring import measure

pytestmark = pytest.mark.net

ALL = ("udp", "quic-datagram", "quic-stream")


async def test_every_packet_comes_back_on_every_transport(node: NodeProcess, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, node.entry(), matrix=transports(*ALL))
    found = await measure(plan, tmp_path / "results")
    assert (found.assessment.verdict, found.assessment.exit_code) == ("pass", 0)
    assert {session.record.transport for session in found.sessions} == set(ALL)
    for session in found.sessions:
        record, counts = session.record, session.counts
        assert record.outcome == "completed"
        assert counts["scheduled"] == 25 == counts["unsent"] + counts["sent"]
        assert counts["on_time"] + counts["late"] == counts["sent"]
        phases = (record.resolve_ms, record.handshake_ms, record.bind_ms, record.first_packet_ms)
        assert record.connect_ms == pytest.approx(sum(phase or 0 for phase in phases))
        assert all(phase is not None and phase >= 0 for phase in phases)
        told = found.last_told(record.index)
        assert (told.phase, told.sent, told.received) == ("done", counts["sent"], counts["sent"])
        assert record.ended_at is not None
        assert record.started_at < record.ended_at
        assert record.quality["clock_step_ms"] == pytest.approx(0, abs=50)
        assert record.counters["received"] == counts["sent"]


def wrong(kind: str, node: NodeProcess) -> dict[str, Any]:
    """A plan's entry that leads nowhere."""
    host, port = closed_port()
    return {
        "key": node.entry(key="${WRONG_KEY}"),
        "fingerprint": node.entry(fingerprint="sha256:" + "0" * 64),
        "certificate": node.entry(fingerprint=None),
        "port": node.entry(endpoint=f"probe://{host}:{port}"),
        "name": node.entry(endpoint="probe://no-such-host.invalid:40000"),
        "label": node.entry(endpoint=f"probe://{'a' * 64}.example:40000"),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "outcome", "told", "code"),
    [
        ("key", "failed", "127.0.0.1 does not accept our key", 3),
        ("fingerprint", "failed", "is not the node that the plan pins", 3),
        ("certificate", "failed", "the certificate of 127.0.0.1 is not trusted", 3),
        ("port", "unreachable", "refuses: Connection refused", 99),
        ("name", "unreachable", "no-such-host.invalid has no address", 99),
        ("label", "unreachable", "is no host name", 99),
    ],
)
async def test_no_session_comes_about(
    kind: str,
    outcome: str,
    told: str,
    code: int,
    node: NodeProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WRONG_KEY", "another key altogether")
    found = await measure(write_plan(tmp_path, wrong(kind, node)), tmp_path / "results")
    record = found.session.record
    assert record.outcome == outcome
    assert record.error is not None
    assert told in record.error["detail"]
    assert record.error["hint"]
    assert found.session.counts["scheduled"] == 0
    assert found.assessment.exit_code == code


async def test_a_silent_node_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target.Patience, "FULL_S", 0.6)
    monkeypatch.setattr(target.Patience, "SHORT_S", 0.2)
    with silent_port() as (host, port):
        entry = {"name": "n1", "endpoint": f"probe://{host}:{port}", "fingerprint": "sha256:" + "0" * 64}
        plan = write_plan(tmp_path, entry, matrix=transports(*ALL))
        found = await measure(plan, tmp_path / "results")
    details = [(session.record.error or {})["detail"] for session in found.sessions]
    assert ["within 0.6 s" in detail for detail in details] == [True, False, False]
    assert ["within 0.2 s" in detail for detail in details] == [False, True, True]
    assert found.assessment.exit_code == 99


async def test_a_resolver_that_hangs_is_not_waited_for(
    tmp_path: Path, node: NodeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(host: str, port: int) -> Address:
        import time

        time.sleep(5)
        return host, port

    monkeypatch.setattr(target, "resolve", hang)
    monkeypatch.setattr(target.Patience, "FULL_S", 0.2)
    found = await measure(write_plan(tmp_path, node.entry()), tmp_path / "results")
    assert found.session.record.outcome == "unreachable"
    assert "nobody tells the address of 127.0.0.1" in (found.session.record.error or {})["detail"]


async def test_a_node_that_is_full_is_not_measured(tmp_path: Path) -> None:
    with node_process("--max-sessions", "1") as node:
        address = (node.host, node.port)
        async with connect_control(address, key=KEY.encode(), fingerprint=node.fingerprint) as control:
            grant = await control.open(request())
            found = await measure(write_plan(tmp_path, node.entry()), tmp_path / "results")
            await control.close(grant.session)
        record = found.session.record
        assert record.outcome == "failed"
        assert "127.0.0.1 is busy: the node has 1 open sessions, the limit" in (record.error or {})["detail"]
        assert found.assessment.exit_code == 3
        # A session that is closed is free again at once.
        again = await measure(write_plan(tmp_path, node.entry()), tmp_path / "results")
        assert again.session.record.outcome == "completed"


async def test_what_a_node_restricts_is_sent_and_told(tmp_path: Path) -> None:
    scenario = {"preset": "voice", "calls": 3, "duration": "2s", "deadline": "200ms"}
    with node_process("--max-streams", "2", "--max-duration", "1") as node:
        found = await measure(
            write_plan(tmp_path, node.entry(), scenarios={"voice": scenario}), tmp_path / "results"
        )
    session = found.session
    restricted = {item["what"]: (item["asked"], item["granted"]) for item in session.record.restricted}
    assert restricted["streams"] == (3, 2)
    assert restricted["duration_ms"] == (2000, 1000)
    assert session.record.outcome == "completed"
    assert session.counts["scheduled"] == 2 * 50
    assert session.counts["sent"] == session.counts["on_time"] + session.counts["late"]
    assert session.counts["policed"] == 0
    rows = load_run(found.results, found.assessment.run_id).sessions[0].rows
    assert set(rows["stream"].tolist()) == {0, 1}


async def test_a_stream_faster_than_the_node_allows_is_not_slowed_down(tmp_path: Path) -> None:
    scenario = {"preset": "video", "bitrate": "1200kbps", "duration": "1s", "deadline": "400ms"}
    with node_process("--max-rate", "0.5") as node:
        found = await measure(
            write_plan(tmp_path, node.entry(), scenarios={"voice": scenario}), tmp_path / "results"
        )
    record = found.session.record
    assert record.outcome == "failed"
    assert "the node allows rate_bps of 500000" in (record.error or {})["detail"]
    assert "--max-rate" in (record.error or {})["hint"]


@pytest.mark.slow
async def test_our_own_weak_network_is_not_the_vendors_silence(node: NodeProcess, tmp_path: Path) -> None:
    nothing = {"name": "nothing", "up": {"loss": "100%"}, "down": {"delay": "1ms"}}
    plan = write_plan(
        tmp_path,
        node.entry(),
        networks=["clean", nothing],
        matrix=[
            {"scenarios": ["voice"], "transports": ["quic-datagram"], "networks": ["nothing"]},
            {"scenarios": ["voice"], "transports": ["udp"], "networks": ["clean"]},
        ],
        thresholds=["reachable >= 99%", {"expr": "connect.p50 < 1s", "network": "nothing"}],
    )
    found = await measure(plan, tmp_path / "results")
    outcomes = {session.record.network: session.record.outcome for session in found.sessions}
    assert outcomes == {"nothing": "not_connected", "clean": "completed"}
    verdicts = {judgement.expr: judgement.verdict for judgement in found.assessment.thresholds}
    assert verdicts["reachable >= 99%"] == "pass"
    weak = next(session for session in found.sessions if session.record.network == "nothing")
    assert weak.record.connect_ms is None
    assert weak.values["connect"].n == 1
    (connect,) = [j for j in found.assessment.thresholds if j.expr.startswith("connect")]
    assert connect.value is None
    assert connect.verdict != "pass"


async def test_nobody_waits_for_an_emulated_node_that_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: emulated.EmulatedNode) -> emulated.EmulatedNode:
        raise NotMeasured("the emulated node did not start: no more processes")

    monkeypatch.setattr(emulated.EmulatedNode, "__aenter__", fail)
    entry = {"name": "sim", "endpoint": "emulated", "path": {"peak": "4g-evening", "offpeak": "4g-day"}}
    found = await measure(write_plan(tmp_path, entry), tmp_path / "results")
    assert [session.record.outcome for session in found.sessions] == ["failed", "failed"]
    assert found.assessment.exit_code == 3


async def test_a_disk_that_fills_up_ends_the_run(
    node: NodeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: RunWriter, record: object, rows: object) -> None:
        raise StoreError("cannot write: no space left on the disk")

    monkeypatch.setattr(RunWriter, "add_rows", full)
    plan = write_plan(tmp_path, node.entry("n1"), node.entry("n2"), matrix=transports(*ALL))
    with pytest.raises(StoreError, match="no space left"):
        await measure(plan, tmp_path / "results")


def hours(first: int, last: int) -> dict[str, str]:
    """A window from `first` to `last` hours from now, UTC."""
    hour = datetime.now(UTC).hour
    return {"start": f"{(hour + first) % 24:02}:00", "end": f"{(hour + last) % 24:02}:00"}


async def test_the_evening_is_compared_with_stored_runs(node: NodeProcess, tmp_path: Path) -> None:
    async def windows(**named: dict[str, str]) -> Any:
        plan = write_plan(tmp_path, node.entry(), timezone="UTC", windows=named)
        return await measure(plan, tmp_path / "results")

    outside = await windows(peak=hours(6, 9), offpeak=hours(12, 15))
    assert outside.session.record.window == "other"
    assert {row.verdict for row in outside.assessment.peak} == {"inconclusive"}
    assert {row.reason["code"] for row in outside.assessment.peak} == {"outside_windows"}
    night = await windows(peak=hours(6, 9), offpeak=hours(-1, 2))
    assert night.session.record.window == "offpeak"
    evening = await windows(peak=hours(-1, 2), offpeak=hours(6, 9))
    assert evening.session.record.window == "peak"
    row = next(row for row in evening.assessment.peak if row.metric == "rtt.p95")
    assert (row.n_peak, row.n_offpeak) == (evening.session.counts["sent"], night.session.counts["sent"])
    assert row.peak is not None
    assert row.offpeak is not None


async def test_a_window_that_is_not_open_is_not_measured(node: NodeProcess, tmp_path: Path) -> None:
    plan = write_plan(
        tmp_path,
        node.entry(),
        timezone="UTC",
        windows={"peak": hours(6, 9), "offpeak": hours(-1, 2)},
        matrix=[{"scenarios": ["voice"], "windows": ["peak"]}],
    )
    found = await measure(plan, tmp_path / "results")
    assert found.sessions == ()
    assert (found.assessment.verdict, found.assessment.exit_code) == ("inconclusive", 4)


async def test_the_same_seed_sends_the_same(node: NodeProcess, tmp_path: Path) -> None:
    async def sizes(seed: int) -> list[list[int]]:
        scenario = {"preset": "video", "bitrate": "600kbps", "duration": "200ms", "deadline": "400ms"}
        plan = write_plan(
            tmp_path,
            node.entry(),
            scenarios={"voice": scenario},
            matrix=[{"scenarios": ["voice"], "transports": ["udp"], "repeat": 2}],
        )
        found = await measure(plan, tmp_path / "results", seed=seed)
        stored = load_run(found.results, found.assessment.run_id)
        assert all((session.rows["scheduled_ns"] != NEVER).all() for session in stored.sessions)
        return [session.rows["size"].tolist() for session in stored.sessions]

    first, again, other = await sizes(7), await sizes(7), await sizes(8)
    assert first == again
    assert first != other
    assert first[0] != first[1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"only": "alhpa"}, "no vendor or node 'alhpa', did you mean 'alpha'"),
        ({"vantage": "jkt"}, "no vantage 'jkt'"),
        ({"wait": "paek"}, "no window 'paek', did you mean 'peak'"),
        ({"duration": "0s"}, "too short for one packet"),
        ({"duration": "5"}, "has no unit"),
    ],
)
def test_wrong_options_are_found_before_anything_starts(
    options: dict[str, Any], told: str, node: NodeProcess, tmp_path: Path
) -> None:
    from probe.plan.load import load_plan

    loaded = load_plan(write_plan(tmp_path, node.entry()))
    with pytest.raises(ConfigError, match=told):
        prepare(loaded, RunOptions(results=tmp_path / "results", **options))
    assert not (tmp_path / "results").exists()
