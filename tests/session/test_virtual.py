"""A session in long steps is the session that the carrier runs, packet by packet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from probe.analysis.session import analyse_session
from probe.impairment.profile import Impairment, Loss, NetworkProfile
from probe.methods.schedule import schedule, stream_spec
from probe.metrics import Rows
from probe.records import COMPLETED, NOT_CONNECTED, SessionRecord
from probe.session import virtual
from probe.session.merge import merge_log

MS = 1_000_000
BEGAN_NS = 1_795_000_000 * 10**9
SPEC = stream_spec("voice", duration_ns=12_000 * MS)


def network(loss: float) -> NetworkProfile:
    way = Impairment(
        delay_ns=20 * MS, jitter_ns=4 * MS, loss=Loss(loss, None if loss == 1 else 2.0) if loss else None
    )
    return NetworkProfile("net", "net", way, replace(way, rate_bps=2_000_000), "test")


def record(seed: int) -> SessionRecord:
    return SessionRecord(
        "run", 0, "ID", "alpha", "n", "vendor", "voice", "clean", "peak", "udp", "emulated", emulated=True,
        seed=seed, started_at="2026-11-22T12:00:00+00:00", local_time="2026-11-22T19:00:00+07:00",
        timezone="Asia/Jakarta", calls=1, packets=0, rate_pps=50.0, interval_ns=SPEC.interval_ns,
        duration_ns=SPEC.duration_ns, deadline_ns=200 * MS, one_way=False, nack=True,
    )  # fmt: skip


@pytest.mark.slow
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
        merge_log(found.rows, found.log[: found.session.counts.logged], streams=SPEC.calls)
        return found.rows.tobytes(), found.repairs()

    assert rows(in_steps=True) == rows(in_steps=False)


def test_a_session_has_its_connect_phases_from_the_path() -> None:
    measured = record(1)
    rows = virtual.run_virtual(measured, SPEC, [network(0.0)], BEGAN_NS)
    assert measured.outcome == COMPLETED
    assert len(rows) == measured.packets == 600
    assert measured.handshake_ms is not None
    assert measured.bind_ms is not None
    assert 32 < measured.handshake_ms < 55  # a round trip of 40 ms, give or take twice the jitter of a way
    assert 64 < measured.bind_ms < 110  # two, for the cookie
    assert measured.connect_ms is not None
    assert 128 < measured.connect_ms < 220  # and the first packet's
    assert measured.wall_offset_ns + int(rows["scheduled_ns"][0]) == BEGAN_NS


def test_nothing_gets_through_and_no_session_comes_about() -> None:
    for transport in ("udp", "quic-datagram"):
        measured = replace(record(1), transport=transport)
        assert not len(virtual.run_virtual(measured, SPEC, [network(1.0)], BEGAN_NS))
        assert measured.outcome == NOT_CONNECTED
        assert measured.connect_ms is None


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["quic-datagram", "quic-stream"])
def test_a_session_over_quic_is_that_of_the_sockets_on_the_path(transport: str) -> None:
    spec = stream_spec("voice", duration_ns=4_000 * MS)

    def measured() -> tuple[SessionRecord, Rows]:
        made = replace(record(3), transport=transport, nack=False, duration_ns=4_000 * MS)
        return made, virtual.run_virtual(made, spec, [network(0.05)], BEGAN_NS)

    (first, rows), (_, again) = measured(), measured()
    assert rows.tobytes() == again.tobytes()
    assert first.outcome == COMPLETED
    assert first.wall_offset_ns + int(rows["scheduled_ns"][0]) == BEGAN_NS
    assert first.handshake_ms is not None
    assert 32 < first.handshake_ms < 55
    summary = analyse_session(first, rows)
    counts = summary.counts
    assert counts["scheduled"] == counts["sent"] == 200
    assert counts["lost_up"] + counts["lost_down"] > 5
    assert counts["lost_unknown"] == 0
    dropped = sum(first.impairment[way]["lost"] for way in ("up", "down"))
    assert counts["lost_up"] + counts["lost_down"] <= dropped  # acknowledgements are lost as well
    if transport == "quic-stream":
        assert summary.up.residual < summary.up.lost
    assert first.client["misnumbered"] == first.counters["misnumbered"] == 0
