"""RTP over QUIC sessions over real sockets on loopback."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from probe.errors import FingerprintMismatch
from probe.methods.negotiation import Grant, OpenRequest
from probe.methods.quic_server import Datagrams
from probe.methods.roq_client import RoqClient
from probe.methods.schedule import StreamSpec, schedule, stream_spec
from probe.metrics import NEVER, Rows, Stamp, Unsent, empty_rows
from probe.net import quic_job, transmit
from probe.net.job import PROGRESS, JobResult, MediaJob
from probe.net.quic import connect_control
from probe.net.quic_job import quic_handshake, run_quic_job
from probe.wire import log
from tests.quic_loopback import PINNED, Running, closed_port, running, silent_port
from tests.quic_parts import request

pytestmark = pytest.mark.net


def job(
    server: Running, transport: str, spec: StreamSpec, packets: int, grant: Grant, **changes: Any
) -> MediaJob:
    terms = {
        "transport": transport,
        "address": server.address,
        "session": grant.session,
        "token": grant.token,
        "ssrc_base": grant.ssrc_base,
        "spec": spec,
        "packets": packets,
        "rows": packets * spec.calls,
        "seed": 1,
        "nack": False,
        "deadline_ns": 200_000_000,
        "server_name": "node",
        "fingerprint": PINNED["fingerprint"],
        "cafile": None,
    }
    return MediaJob(**(terms | changes))


async def measure(
    server: Running, transport: str, *, seconds: float = 1.0, stop_after: float | None = None, **changes: Any
) -> tuple[JobResult, Rows, Any]:
    """Run a job in a thread; returns its result, rows and the node's log."""
    spec = stream_spec("voice", calls=2, duration_ns=int(seconds * 1e9))
    plan = schedule(spec, np.random.default_rng(1))
    rows, progress = empty_rows(plan.packets * 2), np.zeros(1, PROGRESS)
    asked: OpenRequest = request(
        transport=transport, streams=2, rate_pps=100.0, packets=plan.packets, packet_bytes=1200
    )
    async with connect_control(server.address, **PINNED) as control:
        grant = await control.open(asked)
        task = asyncio.create_task(
            asyncio.to_thread(
                run_quic_job, job(server, transport, spec, plan.packets, grant, **changes), rows, progress
            )
        )
        if stop_after is not None:
            await asyncio.sleep(stop_after)
            progress["stop"] = 1
        result = await task
        entries, _ = await control.log(grant.session, 0)
        return result, rows, entries


@pytest.mark.parametrize("transport", ["quic-datagram", "quic-stream"])
@pytest.mark.parametrize("plain", [False, True])
async def test_a_session(transport: str, plain: bool) -> None:
    async with running() as server:
        result, rows, entries = await measure(server, transport, plain=plain)
    assert result.outcome == "completed"
    assert result.handshake_ms is not None
    assert result.bind_ms is not None
    assert result.first_packet_ms is not None
    assert result.counters["misnumbered"] == 0
    sent = rows["sent_ns"] != NEVER
    assert (sent | (rows["unsent"] == Unsent.HOST_LATE)).all()
    assert sent.sum() > 50
    assert (rows["received_ns"][sent] > rows["sent_ns"][sent]).all()
    assert len(entries) == sent.sum()
    by_key = {int(row["index"]) * 2 + int(row["stream"]): row for row in entries}
    for key in np.flatnonzero(sent).tolist():
        entry, row = by_key[key], rows[key]
        for earlier, later in pairwise((row["sent_ns"], entry["t2"], entry["t3"], row["received_ns"])):
            assert earlier <= later + 5_000  # one host: its clocks are one, read several times
    theirs = 0 if plain else Stamp.SENT | Stamp.RECEIVED
    assert (rows["stamps"][sent] & (Stamp.SENT | Stamp.RECEIVED) == theirs).all()
    assert ((rows["stamps"][sent] & Stamp.NODE_RECEIVED) != 0).all()
    assert (entries["flags"] & (log.KERNEL_T2 | log.KERNEL_T3) == log.KERNEL_T2 | log.KERNEL_T3).all()


async def test_a_system_that_promises_stamps_and_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call succeeds; only the datagrams of the handshake show that there is nothing to come."""
    monkeypatch.setattr(transmit, "_TX_SOFTWARE", 0)
    async with running() as server:
        result, rows, entries = await measure(server, "quic-stream")
    assert result.quality["stamps_checked"] == {"sent": False, "received": True}
    assert (result.quality["stamps"]["sent"], result.quality["stamps"]["node_sent"]) == ("user", "user")
    assert (rows["received_ns"] != NEVER).sum() > 50
    assert not (entries["flags"] & log.KERNEL_T3).any()


async def test_a_loop_that_stands_still_while_it_works_is_a_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    stalls, send = [0.3], RoqClient.datagrams_to_send

    def stand_still(self: RoqClient, now: float) -> Datagrams:
        if self.packets_back >= 50 and stalls:
            time.sleep(stalls.pop())
        return send(self, now)

    monkeypatch.setattr(RoqClient, "datagrams_to_send", stand_still)
    async with running() as server:
        result, _, _ = await measure(server, "quic-datagram")
    assert not stalls
    assert result.quality["stall_ms"] >= 300


async def test_a_stopped_session_keeps_what_it_has() -> None:
    async with running() as server:
        result, rows, _ = await measure(server, "quic-stream", seconds=20, stop_after=1.0)
    assert result.outcome == "aborted"
    assert (rows["received_ns"] != NEVER).any()
    assert (rows["unsent"] == Unsent.ABORTED).any()
    assert ((rows["sent_ns"] != NEVER) ^ (rows["unsent"] != 0)).all()


async def test_a_session_with_a_node_that_pins_do_not_fit() -> None:
    async with running() as server:
        with pytest.raises(FingerprintMismatch):
            await measure(server, "quic-stream", fingerprint="sha256:" + "0" * 64)


async def test_a_session_whose_path_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic_job, "HANDSHAKE_TIMEOUT_NS", 300_000_000)
    with silent_port() as address:
        async with running() as server:
            result, rows, _ = await measure(server, "quic-stream", address=address)
    assert result.outcome == "unreachable"
    assert result.error == {
        "code": "no_handshake",
        "transport": "quic-stream",
        "detail": "no answer within 0.3 s",
    }
    assert (rows["sent_ns"] == NEVER).all()


async def test_a_session_with_a_token_that_is_not_known() -> None:
    async with running() as server:
        result, _, _ = await measure(server, "quic-datagram", token=bytes(16))
    assert result.outcome == "unreachable"
    assert result.error is not None
    assert result.error["code"] == "no_bind"


async def test_a_handshake_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = {"fingerprint": PINNED["fingerprint"]}
    async with running() as server:
        took = await asyncio.to_thread(quic_handshake, server.address, **pinned)
        assert took is not None
        assert took > 0
        with pytest.raises(FingerprintMismatch):
            await asyncio.to_thread(quic_handshake, server.address, fingerprint="sha256:" + "0" * 64)
    assert quic_handshake(closed_port(), **pinned) is None
    monkeypatch.setattr(quic_job, "HANDSHAKE_TIMEOUT_NS", 300_000_000)
    with silent_port() as address:
        assert quic_handshake(address, **pinned) is None
