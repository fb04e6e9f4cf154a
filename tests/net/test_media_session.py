"""UDP sessions between real processes: every packet accounted for, whatever stands still meanwhile.

What is asserted are counts and who is to blame, never speed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from probe.errors import NotMeasured
from probe.metrics import NEVER, Stamp, Unsent
from probe.net import mmsg, transmit
from probe.net.punctual import Punctuality, require
from tests.hold_relay import hold_relay
from tests.media_loopback import Loopback, Session, loopback

pytestmark = pytest.mark.net
linux = pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps")
ALL_FOUR = Stamp.SENT | Stamp.NODE_RECEIVED | Stamp.NODE_SENT | Stamp.RECEIVED


def accounted(session: Session, scheduled: int) -> None:
    """The identity of fates, both ends' counts included."""
    rows = session.rows
    assert len(rows) == scheduled
    sent = rows["sent_ns"] != NEVER
    assert (sent ^ (rows["unsent"] != 0)).all()
    assert session.report["received"] == (rows["node_received_ns"] != NEVER).sum()
    assert session.report["corrupt"] == session.report["policed"] == session.report["socket_dropped"] == 0


STREAMS = [
    (calls, preset, nack)
    for nack in (False, True)
    for calls, preset in ((1, "voice"), (40, "voice"), (2, "video"))
]


@pytest.fixture(scope="module")
def sessions() -> dict[tuple[int, str, bool], Session]:
    """One of each of `STREAMS`, all at a node at the same time."""

    async def run() -> list[Session]:
        async with loopback() as node:
            return await asyncio.gather(
                *(node.session(calls=calls, preset=preset, nack=nack) for calls, preset, nack in STREAMS)
            )

    return dict(zip(STREAMS, asyncio.run(run()), strict=True))


@pytest.mark.parametrize(("calls", "preset", "nack"), STREAMS)
def test_every_packet_comes_back(
    calls: int, preset: str, nack: bool, sessions: dict[tuple[int, str, bool], Session]
) -> None:
    session = sessions[calls, preset, nack]
    assert session.result.outcome == "completed"
    accounted(session, len(session.rows))
    assert session.lost == 0
    back = session.rows[session.rows["received_ns"] != NEVER]
    if sys.platform == "linux":
        assert (back["stamps"] == ALL_FOUR).all()
        assert session.result.quality["stamps_checked"] == {"sent": True, "received": True}
    for earlier, later in (
        ("scheduled_ns", "sent_ns"),
        ("sent_ns", "node_received_ns"),
        ("node_received_ns", "node_sent_ns"),
        ("node_sent_ns", "received_ns"),
    ):
        assert (back[earlier] <= back[later] + 5_000).all()  # one host: its clocks are one, read twice


@linux
async def test_a_system_that_promises_stamps_and_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call succeeds; only the packets that bind the session show that there is nothing to come."""
    monkeypatch.setattr(transmit, "_TX_SOFTWARE", 0)
    async with loopback() as node:
        session = await node.session(seconds=0.3, here=True)
    assert session.result.quality["stamps_checked"] == {"sent": False, "received": True}
    accounted(session, 15)
    sent = session.rows[session.rows["sent_ns"] != NEVER]
    assert len(sent)
    assert (sent["stamps"] == ALL_FOUR & ~Stamp.SENT).all()


@linux
async def test_a_crowd_leaves_in_segments_and_is_accounted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transmit, "ALL_STAMPED_PPS", 1000)
    monkeypatch.setattr(mmsg, "may_segment", lambda _: True)
    async with loopback() as node:
        session = await node.session(calls=400, seconds=0.5, here=True)
    assert session.result.counters["carrier"] == "sendmmsg, segments"
    accounted(session, 400 * 25)
    assert session.lost == 0
    stamped = (session.rows["stamps"] & Stamp.SENT) != 0
    assert 0 < stamped.sum() < (session.rows["unsent"] == 0).sum()


async def test_one_way_is_logged_and_not_reflected() -> None:
    async with loopback() as node:
        session = await node.session(preset="live", seconds=0.7)
    accounted(session, len(session.rows))
    assert (session.rows["received_ns"] == NEVER).all()
    assert (session.rows["node_sent_ns"] == NEVER).all()


PLAIN = [(True, False), (False, True), (True, True)]


@pytest.fixture(scope="module")
def plain_sessions() -> dict[tuple[bool, bool], Session]:
    """With plain sockets at the ends that `PLAIN` says, each at a node of its own, all at the same time."""

    async def one(client: bool, node: bool) -> Session:
        async with loopback(plain=node) as peer:
            return await peer.session(calls=3, plain=client)

    async def run() -> list[Session]:
        return await asyncio.gather(*(one(client, node) for client, node in PLAIN))

    return dict(zip(PLAIN, asyncio.run(run()), strict=True))


@pytest.mark.parametrize(("client", "node"), PLAIN)
def test_plain_sockets_at_either_end(
    client: bool, node: bool, plain_sessions: dict[tuple[bool, bool], Session]
) -> None:
    session = plain_sessions[client, node]
    accounted(session, 150)
    assert session.lost == 0
    assert session.result.counters["carrier"] == ("plain" if client else "sendmmsg")
    stamps = session.rows["stamps"][session.rows["received_ns"] != NEVER]
    if sys.platform == "linux":
        theirs = Stamp.SENT | Stamp.RECEIVED
        assert (stamps & theirs == (0 if client else theirs)).all()
        ours = Stamp.NODE_RECEIVED | Stamp.NODE_SENT
        assert (stamps & ours == (0 if node else ours)).all()


def may_be_granted(wanted: Punctuality) -> bool:
    try:
        require(wanted)
    except NotMeasured:
        return False
    return True


async def test_what_was_granted_is_told() -> None:
    wanted = Punctuality(realtime=True, low_latency=True, spin_ns=200_000)
    classes: set[int] = set()

    async def during(session: Session) -> None:
        await session.reaches(2)
        if sys.platform == "linux":
            classes.update(os.sched_getscheduler(pid) for pid in (session.client_pid, session.node_pid))

    async with loopback(punctuality=wanted) as node:
        session = await node.session(seconds=0.3, punctuality=wanted, during=during)
    if sys.platform == "linux":
        real = may_be_granted(Punctuality(realtime=True))
        assert classes == {os.SCHED_FIFO if real else os.SCHED_OTHER}
    punctuality = session.result.quality["punctuality"]
    assert punctuality["asked"] == {"realtime": True, "low_latency": True, "spin_us": 200.0}
    granted = punctuality["granted"]
    assert granted["spin_us"] == 200.0
    assert granted["realtime"] == may_be_granted(Punctuality(realtime=True))
    assert granted["low_latency"] == may_be_granted(Punctuality(low_latency=True))
    accounted(session, 15)


@asynccontextmanager
async def stopped(pid: int, seconds: float) -> AsyncIterator[None]:
    """A process that stands still for so long."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
        await asyncio.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_stopped_client_has_not_sent_and_has_lost_nothing() -> None:
    async def during(session: Session) -> None:
        await session.reaches(50)
        async with stopped(session.client_pid, 0.5):
            pass

    async with loopback() as node:
        session = await node.session(seconds=3, during=during)
    accounted(session, 150)
    assert session.lost == 0
    gaps = np.flatnonzero(session.rows["unsent"] == Unsent.HOST_LATE)
    longest = max(np.split(gaps, np.flatnonzero(np.diff(gaps) > 1) + 1), key=len)
    assert 24 <= len(longest) <= 26
    assert session.result.quality["stall_ms"] >= 450


@linux
async def test_a_stopped_node_is_a_stall_of_the_node_and_not_of_the_path() -> None:
    async def during(session: Session) -> None:
        await session.reaches(50)
        async with stopped(session.node_pid, 0.3):
            pass

    async with loopback() as node:
        session = await node.session(seconds=3, during=during)
        later = await node.session(seconds=0.3)
    accounted(session, 150)
    assert session.lost == 0
    held_ms = (session.rows["node_sent_ns"] - session.rows["node_received_ns"])[
        session.rows["received_ns"] != NEVER
    ] / 1e6
    stalled = held_ms > 20
    assert 10 <= stalled.sum() <= 20  # of 15 packets that lay there
    assert session.report["stall_ns"] >= 250_000_000
    assert later.report["stall_ns"] < 250_000_000
    assert np.median(session.rtt_ms[stalled]) < 50  # the wait is not in it
    assert session.result.quality["stall_ms"] < 250


NODES: dict[str, dict[str, Any]] = {
    "usual": {},
    "plain": {"plain": True},
    "levers": {"punctuality": Punctuality(realtime=True, low_latency=True, spin_ns=200_000)},
}
SESSIONS: list[tuple[str, dict[str, Any]]] = [
    ("usual", {"nack": True}),
    ("usual", {"nack": False}),
    ("usual", {"nack": True, "preset": "video"}),
    ("plain", {"nack": True}),
    ("levers", {"nack": True}),
]
"""At which node, and what kind of session; all at the same time."""


async def held_three_times(node: Loopback, **options: Any) -> Session:
    """A session whose network keeps its packets for 300 ms and then lets them all go, three times."""
    with hold_relay(node.address) as relay:

        async def during(session: Session) -> None:
            for share in (0.15, 0.4, 0.65):
                await session.reaches(int(share * len(session.shared)))
                relay.hold()
                await asyncio.sleep(0.3)
                relay.let_go()

        return await node.session(seconds=3, path=relay.address, during=during, **options)


async def test_packets_held_and_let_go_in_the_network_are_late_and_not_lost() -> None:
    async with AsyncExitStack() as stack:
        nodes = {
            name: await stack.enter_async_context(loopback(**options)) for name, options in NODES.items()
        }
        sessions = await asyncio.gather(
            *(held_three_times(nodes[node], **options) for node, options in SESSIONS)
        )
    for session in sessions:
        accounted(session, len(session.rows))
        assert session.lost == 0
        assert session.report["duplicates"] == 0
        late = (session.rtt_ms > 20).sum() / len(session.rows)
        assert 0.2 <= late <= 0.5  # three times 300 ms of 3 s, as delay
        assert session.rtt_ms.max() > 250


@pytest.mark.parametrize("plain", [False, True])
async def test_a_node_that_is_gone_is_counted_as_refusing(plain: bool) -> None:
    async def during(session: Session) -> None:
        await session.reaches(10)
        os.kill(session.node_pid, signal.SIGKILL)

    with pytest.raises(Exception, match="our own process"):
        async with loopback() as node:
            await _until_dead(node, during, plain=plain)


async def _until_dead(node: Loopback, during: object, *, plain: bool) -> None:
    assert callable(during)
    session = await node.session(seconds=1.0, plain=plain, during=during)
    assert session.result.counters["refused"] > 0
    raise AssertionError("the node's process was killed and nobody noticed")


@linux
async def test_two_sessions_at_a_time_are_told_apart() -> None:
    async with loopback() as node:
        first, second = await asyncio.gather(
            node.session(calls=10, seconds=1.5), node.session(calls=30, seconds=1.5, nack=False)
        )
    for session, calls in ((first, 10), (second, 30)):
        accounted(session, calls * 75)
        assert session.lost == 0
        assert (session.rows["stamps"][session.rows["received_ns"] != NEVER] == ALL_FOUR).all()
