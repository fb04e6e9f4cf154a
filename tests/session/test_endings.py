"""What ends a session early: the node, a process of ours, or the user."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from probe.net import quic, shared
from probe.session.stopping import Stopping
from probe.session.target import Patience
from probe.store.reader import load_run
from tests.nodes import (
    NodeProcess,
    alive,
    descendants,
    end,
    node_process,
    transports,
    wait_until_gone,
    write_plan,
)
from tests.quic_loopback import silent_port
from tests.session.measuring import measure, once_sending, our_own

pytestmark = pytest.mark.net

LONG = {"voice": {"preset": "voice", "duration": "20s", "deadline": "400ms"}}
CROWD = {"voice": {"preset": "voice", "calls": 10, "duration": "500ms", "deadline": "400ms"}}
LOSSY = [{"name": "thin", "up": {"delay": "5ms"}, "down": {"delay": "5ms"}}]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_node_that_is_killed(tmp_path: Path) -> None:
    with node_process() as node:

        def kill() -> None:
            for pid in (*descendants(node.process.pid), node.process.pid):
                end(pid)

        plan = write_plan(tmp_path, node.entry(), scenarios=LONG, matrix=transports("udp", "quic-stream"))
        found = await once_sending(plan, tmp_path / "results", kill)
    first, second = found.sessions
    assert (first.record.outcome, second.record.outcome) == ("died", "unreachable")
    assert first.counts["sent"] > 10
    assert first.counts["on_time"] > 0
    assert first.counts["unsent_aborted"] > 0
    assert first.counts["scheduled"] == 1000 == first.counts["sent"] + first.counts["unsent"]
    assert (found.assessment.verdict, found.assessment.exit_code) == ("fail", 99)


async def test_a_node_that_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic, "PING_S", 0.5)
    monkeypatch.setattr(quic, "DEAD_S", 1.5)
    with node_process() as node:

        def freeze() -> None:
            for pid in (*descendants(node.process.pid), node.process.pid):
                os.kill(pid, signal.SIGSTOP)

        plan = write_plan(tmp_path, node.entry(), scenarios=LONG)
        found = await once_sending(plan, tmp_path / "results", freeze)
    assert found.session.record.outcome == "died"
    assert "has stopped answering" in (found.session.record.error or {})["detail"]


async def test_a_node_that_is_stopped_says_so(tmp_path: Path) -> None:
    with node_process() as node:
        plan = write_plan(tmp_path, node.entry(), scenarios=LONG)
        found = await once_sending(
            plan, tmp_path / "results", lambda: node.process.send_signal(signal.SIGTERM)
        )
        assert node.process.wait(10) == 0
    assert found.session.record.outcome == "died"
    assert "the node stops" in (found.session.record.error or {})["detail"]


async def test_a_worker_that_is_killed_is_replaced(node: NodeProcess, tmp_path: Path) -> None:
    scenarios = LONG | {"short": {"preset": "voice", "duration": "200ms", "deadline": "400ms"}}
    matrix = [{"scenarios": ["voice"]}, {"scenarios": ["short"]}]
    plan = write_plan(tmp_path, node.entry(), scenarios=scenarios, matrix=matrix)
    found = await once_sending(plan, tmp_path / "results", lambda: end(our_own("net.worker")[0]))
    first, second = sorted(found.sessions, key=lambda session: session.record.scenario == "short")
    assert first.record.outcome == "failed"
    assert "ended with SIGKILL" in (first.record.error or {})["detail"]
    assert first.counts["sent"] > 10
    assert second.record.outcome == "completed"
    assert found.assessment.quality["grade"] == "invalid"


async def test_a_relay_that_is_killed_is_not_the_vendors_loss(node: NodeProcess, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, node.entry(), networks=LOSSY, scenarios=CROWD)
    found = await once_sending(plan, tmp_path / "results", lambda: end(our_own("relay_process")[0]))
    assert found.session.record.outcome == "failed"
    assert "relay_process:serve) ended with SIGKILL" in (found.session.record.error or {})["detail"]
    assert found.assessment.exit_code == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_run_that_is_stopped_keeps_what_it_has(
    number: signal.Signals, code: int, node: NodeProcess, tmp_path: Path
) -> None:
    stopping = Stopping()
    plan = write_plan(tmp_path, node.entry(), scenarios=LONG, matrix=transports("udp", "quic-stream"))
    found = await once_sending(plan, tmp_path / "results", lambda: stopping.set(number), stopping)
    session = found.session  # the second was not begun
    assert session.record.outcome == "interrupted"
    assert session.record.error == {"code": "interrupted", "signal": number.name}
    assert session.counts["sent"] > 10
    assert session.counts["scheduled"] == 1000
    assert session.record.counters["received"] == session.counts["sent"]
    assert (found.assessment.verdict, found.assessment.exit_code) == ("interrupted", code)
    assert not our_own("probe.net")
    # Judged from its files it is the same.
    from probe.session.run import judge_run

    assert judge_run(found.results, found.assessment.run_id).exit_code == code


async def test_a_run_is_stopped_while_it_waits_for_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Patience, "FULL_S", 120.0)
    stopping = Stopping()
    with silent_port() as (host, port):
        entry = {"name": "n1", "endpoint": f"probe://{host}:{port}", "fingerprint": "sha256:" + "0" * 64}
        asyncio.get_running_loop().call_later(0.3, stopping.set, signal.SIGINT)
        async with asyncio.timeout(30):
            found = await measure(write_plan(tmp_path, entry), tmp_path / "results", stopping)
    assert found.session.record.outcome == "interrupted"
    assert found.assessment.exit_code == 130


async def test_a_run_is_stopped_while_nothing_gets_through(node: NodeProcess, tmp_path: Path) -> None:
    stopping = Stopping()
    nothing = {"name": "nothing", "up": {"loss": "100%"}, "down": {"delay": "1ms"}}
    asyncio.get_running_loop().call_later(1.2, stopping.set, signal.SIGINT)
    found = await measure(
        write_plan(tmp_path, node.entry(), networks=[nothing]), tmp_path / "results", stopping
    )
    assert found.session.record.outcome == "interrupted"
    assert not our_own("probe.net")


async def test_a_run_is_stopped_while_its_node_starts(tmp_path: Path) -> None:
    stopping = Stopping()
    entry = {"name": "sim", "endpoint": "emulated", "path": {"peak": "4g-evening", "offpeak": "4g-day"}}
    asyncio.get_running_loop().call_later(0.05, stopping.set, signal.SIGTERM)
    found = await measure(write_plan(tmp_path, entry), tmp_path / "results", stopping)
    assert found.sessions == ()
    assert (found.assessment.verdict, found.assessment.exit_code) == ("interrupted", 143)
    assert not our_own("--until-eof")


async def test_no_memory_for_the_packets(
    node: NodeProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(dtype: Any, count: int) -> shared.SharedArray:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shared.SharedArray, "create", none)
    found = await measure(write_plan(tmp_path, node.entry()), tmp_path / "results")
    assert found.session.record.outcome == "failed"
    assert "no memory for the packets" in (found.session.record.error or {})["detail"]


async def test_nothing_is_left_of_many_sessions(node: NodeProcess, tmp_path: Path) -> None:
    short = {"voice": {"preset": "voice", "duration": "100ms", "deadline": "400ms"}}
    matrix = [{"scenarios": ["voice"], "transports": ["udp"], "repeat": 2}]
    plan = write_plan(tmp_path, node.entry(), networks=LOSSY, scenarios=short, matrix=matrix)
    most: list[int] = []
    await measure(plan, tmp_path / "results")  # what is opened once is open by now
    before = open_files()

    async def count() -> None:
        while True:
            most.append(len(our_own("relay_process")))
            await asyncio.sleep(0.02)

    counting = asyncio.create_task(count())
    found = await measure(plan, tmp_path / "results")
    counting.cancel()
    assert [session.record.outcome for session in found.sessions] == ["completed"] * 2
    assert max(most) == 1
    assert not our_own("probe.net")
    assert open_files() <= before
    assert len(load_run(found.results, found.assessment.run_id).sessions) == 2


async def test_an_emulated_node_ends_with_whoever_started_it(tmp_path: Path) -> None:
    from probe.session.emulated import EmulatedNode

    async with EmulatedNode() as node:
        assert node.fingerprint.startswith("sha256:")
        process = node._process
        assert process
        assert process.stdin
        family = [process.pid, *descendants(process.pid)]
        assert len(alive(family)) == 2
        process.stdin.close()
        await asyncio.to_thread(wait_until_gone, family[1:])
