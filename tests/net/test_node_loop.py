"""How the node's packet loop treats its socket."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from probe.methods.negotiation import Grant
from probe.net import mmsg
from probe.net.media_process import log_capacity
from probe.net.node_loop import COUNT_NAMES, RATE_NS, NodeLoop, Open
from probe.net.pipe import Pipe
from probe.net.punctual import ORDINARY, Privileges, Punctuality
from probe.net.shared import SharedArray
from probe.net.udp import MEDIA_SLOTS, SAMPLED, open_udp
from probe.wire.log import LOG

pytestmark = pytest.mark.net
MS = 1_000_000


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Pipe(ours)


def grant(*, calls: int) -> Grant:
    """A second of voice calls."""
    return Grant(
        transport="udp",
        streams=calls,
        packets=50,
        packet_bytes=200,
        rate_pps=calls * 50.0,
        rate_bps=calls * 80_000,
        duration_ms=1000,
        one_way=False,
        nack=False,
        deadline_ms=200,
        session=1,
        token=bytes(16),
        ssrc_base=1 << 20,
    )


@pytest.fixture
def loop(pipe: Pipe) -> Iterator[NodeLoop]:
    """Serves ten calls."""
    sock = open_udp(bind=("127.0.0.1", 0), slots=MEDIA_SLOTS)
    loop = NodeLoop(sock, pipe, Privileges(ORDINARY))
    session = grant(calls=10)
    capacity = log_capacity(session)
    log, counts = SharedArray.create(LOG, capacity), SharedArray.create("i8", len(COUNT_NAMES))
    loop._open(Open(session, capacity), [log.fd, counts.fd])
    yield loop
    sock.close()


linux = pytest.mark.skipif(sys.platform != "linux", reason="transmit stamps")


@linux
def test_when_more_arrives_than_can_be_stamped_one_reply_in_ten_is(
    loop: NodeLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmsg, "may_segment", lambda _: True)
    assert (loop._sock.stamped_every, loop._sock.carrier) == (1, "sendmmsg")
    now_ns, seen = 10 * RATE_NS, []
    loop._publish(now_ns)
    for arrived in (100, 320_000 * RATE_NS // 10**9, 280_000 * RATE_NS // 10**9):
        loop._arrived = arrived
        loop._publish(now_ns := now_ns + RATE_NS)
        seen.append((loop._sock.stamped_every, loop._sock.carrier))
    assert seen == [(1, "sendmmsg"), (SAMPLED, "sendmmsg, segments"), (1, "sendmmsg")]


@linux
def test_while_the_queue_overflows_no_room_in_it_goes_to_stamps(loop: NodeLoop) -> None:
    now_ns, seen = 10 * RATE_NS, []
    loop._publish(now_ns)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(100_000):
            sender.sendto(bytes(1400), loop._sock.local())
            if loop._sock.dropped():
                break
    for _ in range(2):
        loop._publish(now_ns := now_ns + RATE_NS)
        seen.append(loop._sock.stamped_every)
    assert seen == [0, 1]


def test_a_real_time_node_never_stays_awake_for_more_packets(pipe: Pipe) -> None:
    privileges = Privileges(Punctuality(spin_ns=200_000))
    with closing(open_udp(bind=("127.0.0.1", 0), slots=MEDIA_SLOTS)) as sock:
        assert NodeLoop(sock, pipe, privileges)._spin_ns == 200_000
        privileges.realtime = True
        assert NodeLoop(sock, pipe, privileges)._spin_ns == 0
