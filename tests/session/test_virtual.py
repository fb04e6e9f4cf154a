"""A session in long steps is the session that the carrier runs, packet by packet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from probe.impairment.profile import Impairment, Loss, NetworkProfile
from probe.methods.schedule import schedule, stream_spec
from probe.records import COMPLETED, SessionRecord
from probe.session import virtual
from probe.session.merge import merge_log

MS = 1_000_000
SPEC = stream_spec("voice", duration_ns=12_000 * MS)


def network(loss: float) -> NetworkProfile:
    way = Impairment(delay_ns=20 * MS, jitter_ns=4 * MS, loss=Loss(loss, 2.0) if loss else None)
    return NetworkProfile("net", "net", way, replace(way, rate_bps=2_000_000), "test")


def record(seed: int) -> SessionRecord:
    return SessionRecord(
        "run", 0, "ID", "alpha", "n", "vendor", "voice", "clean", "peak", "udp", "emulated", emulated=True,
        seed=seed, started_at="2026-11-22T12:00:00+00:00", local_time="2026-11-22T19:00:00+07:00",
        timezone="Asia/Jakarta", calls=1, packets=0, rate_pps=50.0, interval_ns=SPEC.interval_ns,
        duration_ns=SPEC.duration_ns, deadline_ns=200 * MS, one_way=False, nack=True,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loss", [0.0, 0.002, 0.03])
def test_long_steps_change_nothing(loss: float, seed: int) -> None:
    plan = schedule(SPEC, np.random.default_rng(seed))

    def rows(*, in_steps: bool) -> tuple[bytes, tuple[int, ...]]:
        found = virtual.exchanged(
            lambda: virtual._Exchange(record(seed), SPEC, plan, [network(loss)]),
            SPEC.duration_ns,
            in_steps=in_steps,
        )
        merge_log(found.rows, found.log[: found.session.counts.logged], plan.packets)
        return found.rows.tobytes(), found.repairs()

    assert rows(in_steps=True) == rows(in_steps=False)


def test_a_session_has_its_connect_phases_from_the_path() -> None:
    measured = record(1)
    rows = virtual.run_virtual(measured, SPEC, [network(0.0)], 1_795_000_000 * 10**9)
    assert measured.outcome == COMPLETED
    assert len(rows) == measured.packets == 600
    assert measured.connect_ms is not None
    assert 5 * 30 < measured.connect_ms < 5 * 60  # five round trips of some 40 ms
    assert measured.wall_offset_ns + int(rows["scheduled_ns"][0]) == 1_795_000_000 * 10**9
