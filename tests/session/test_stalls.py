"""A client and a node that stand still during a whole session: whose doing it was stands in the result."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from probe.metrics import Unsent
from probe.store.reader import load_run
from tests.nodes import children, node_process, write_plan
from tests.session.measuring import once_sending, our_own

pytestmark = [pytest.mark.net, pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps")]

CLIENT_STOPS_S, NODE_STOPS_S = 0.5, 0.3
FOUR_SECONDS = {"voice": {"preset": "voice", "duration": "4s", "deadline": "400ms"}}


def stand_still(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    asyncio.get_running_loop().call_later(seconds, os.kill, pid, signal.SIGCONT)


@pytest.mark.parametrize("transport", ["udp", "quic-stream"])
async def test_who_stood_still_is_told_and_nothing_is_lost(transport: str, tmp_path: Path) -> None:
    with node_process() as node:
        (media,) = children(node.process.pid)
        loop = media if transport == "udp" else node.process.pid

        def act() -> None:
            (worker,) = our_own("net.worker")
            stand_still(worker, CLIENT_STOPS_S)
            asyncio.get_running_loop().call_later(1.5, stand_still, loop, NODE_STOPS_S)

        plan = write_plan(
            tmp_path,
            node.entry(),
            scenarios=FOUR_SECONDS,
            thresholds=["loss < 1%", "rtt.p99 < 50ms"],
            matrix=[{"scenarios": ["voice"], "transports": [transport]}],
        )
        found = await once_sending(plan, tmp_path / "results", act)
    session = found.session
    counts, quality = session.counts, session.quality
    assert counts["scheduled"] == 200 == counts["sent"] + counts["unsent_host_late"]
    assert counts["on_time"] == counts["sent"]  # neither stop is loss, neither makes a packet late
    assert (counts["duplicates"], counts["policed"], counts["socket_dropped"]) == (0, 0, 0)
    (stored,) = load_run(found.results, found.assessment.run_id).sessions
    gaps = np.flatnonzero(stored.rows["unsent"] == Unsent.HOST_LATE)
    longest = max(np.split(gaps, np.flatnonzero(np.diff(gaps) > 1) + 1), key=len)
    assert 24 <= len(longest) <= max(26, quality["stall_ms"] / 20 + 1)
    assert quality["stall_ms"] >= 450
    assert quality["node_stall_ms"] >= 250
    assert 0 < quality["node_cpu_share"] < 1
    assert 0 <= quality["node_steal_ratio"] < 1
    # Kernel stamps at both ends: the percentiles are those of a path on which nobody stood still.
    assert session.rtt_ms.max is not None
    assert session.rtt_ms.max < 250
    assert set(quality["stamps"].values()) == {"kernel"}
    # One in eight was not sent: the measurement is worth nothing, which is nobody's failure.
    reasons = {reason["code"]: reason["grade"] for reason in quality["reasons"]}
    assert (reasons["host_late"], reasons["node_stall"]) == ("invalid", "degraded")
    assert quality["grade"] == found.assessment.quality["grade"] == "invalid"
    assert (found.assessment.verdict, found.assessment.exit_code) == ("not_measured", 3)
