"""A node whose monotonic clock has nothing to do with ours: another machine's, as a time namespace gives it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from probe.metrics import NEVER
from probe.store.reader import load_run
from tests.nodes import node_process, transports, write_plan
from tests.session.measuring import measure

pytestmark = pytest.mark.net

AHEAD_S = 36_000
UNSHARE = ["unshare", "-T", "--monotonic", str(AHEAD_S)]


def has_time_namespaces() -> bool:
    try:
        return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not has_time_namespaces(), reason="a time namespace needs Linux 5.6 and root")
async def test_a_clock_ten_hours_ahead_changes_nothing(tmp_path: Path) -> None:
    with node_process(under=UNSHARE) as node:
        plan = write_plan(tmp_path, node.entry(), matrix=transports("udp", "quic-datagram", "quic-stream"))
        found = await measure(plan, tmp_path / "results")
    assert found.assessment.verdict == "pass"
    for stored in load_run(found.results, found.assessment.run_id).sessions:
        rows = stored.rows[stored.rows["node_received_ns"] != NEVER]
        offset_s = np.median((rows["node_received_ns"] - rows["sent_ns"]) / 1e9)
        assert offset_s == pytest.approx(AHEAD_S, abs=5)
    for session in found.sessions:
        assert session.counts["on_time"] == session.counts["sent"] > 0
        assert session.down is not None
        for way in (session.up, session.down):
            assert (way.lost, way.late, way.loss_ratio) == (0, 0, 0)
            assert way.pdv_ms.min == 0
            assert way.pdv_ms.max is not None
            assert 0 <= way.pdv_ms.max < 400
            assert way.jitter_ms["max"] is not None
        assert session.rtt_ms.min is not None
        assert 0 < session.rtt_ms.min < 400
