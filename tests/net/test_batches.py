"""The media path handles packets as arrays: five times as many take hardly more steps of the interpreter."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import Any

import numpy as np
import pytest

from probe.impairment.profile import Impairment
from probe.methods.batch import Batch, no_address
from probe.methods.media_client import MediaClient
from probe.methods.schedule import schedule, stream_spec
from probe.metrics import NEVER, RUNNING, empty_rows
from probe.net.clock import monotonic_ns
from probe.net.pipe import Pipe
from probe.net.relay_process import Conditions, RelayConfig, RelayLoop
from probe.net.udp import MEDIA_SLOTS, open_udp
from probe.wire.log import LOG
from tests.exchange import SSRC_BASE, TOKEN, reflector_for

MS = 1_000_000
FEW, MANY, ROUNDS = 50, 250, 8
linux = pytest.mark.skipif(sys.platform != "linux", reason="batches of datagrams")


class Steps:
    """How often Python, or C for it, was called."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        def note(frame: FrameType, event: str, argument: Any) -> None:
            self.count += event in {"call", "c_call"}

        sys.setprofile(note)
        try:
            yield
        finally:
            sys.setprofile(None)


def hardly_more(steps: Callable[[int], int]) -> None:
    few, many = steps(FEW), steps(MANY)
    assert few > ROUNDS
    assert many < 2 * few


def ends(count: int) -> int:
    """A client's and a reflector's steps for some rounds of `count` calls, repairs and stamps included."""
    spec = stream_spec("voice", calls=count, duration_ns=20 * MS * ROUNDS)
    plan = schedule(spec, np.random.default_rng(1))
    rows, log = empty_rows(count * plan.packets, RUNNING), np.zeros(count * plan.packets, LOG)
    client = MediaClient(spec, plan, rows, ssrc_base=SSRC_BASE, token=TOKEN, nack=True, start_ns=MS)
    reflector, _ = reflector_for(spec, plan.packets, log, nack=True)
    steps = Steps()
    for turn in range(ROUNDS):
        now_ns = MS + turn * 20 * MS
        with steps.counted():
            while client.next_time_ns() < now_ns + 20 * MS:  # a block of packets ends where it ends
                sent = client.packets_to_send(now_ns, now_ns + 20 * MS - 1)
                assert sent.tag is not None
                client.on_transmitted(sent.tag, sent.time_ns + 1000)
                reflector.receive(sent._replace(kernel_stamped=True, tag=None))
                back = reflector.packets_to_send(now_ns + 20 * MS, now_ns + 20 * MS)
                assert back.tag is not None
                reflector.on_transmitted(back.tag, back.time_ns + 1000)
                client.receive(back._replace(kernel_stamped=True, tag=None))
    assert (rows["received_ns"] != NEVER).all()
    return steps.count


def test_client_and_reflector() -> None:
    hardly_more(ends)


def packets(count: int) -> Batch:
    return Batch(
        np.full((count, 200), 0x80, np.uint8),
        np.full(count, 200, np.int64),
        np.zeros(count, np.int64),
        no_address(count),
        tag=np.arange(count),
    )


def sockets(count: int) -> int:
    """Steps of sending, receiving and reading both kinds of stamps."""
    steps, arrived, told = Steps(), 0, 0
    with (
        closing(open_udp(bind=("127.0.0.1", 0), slots=MEDIA_SLOTS)) as bound,
        closing(open_udp(peer=bound.local(), slots=MEDIA_SLOTS)) as sock,
    ):
        assert sock.stamp(1)
        for _ in range(ROUNDS):
            with steps.counted():
                sock.send(packets(count))
                left, batch = sock.transmitted(), bound.receive()
            assert left is not None
            told, arrived = told + len(left[0]), arrived + len(batch.size)
    assert told == arrived == ROUNDS * count
    return steps.count


@linux
@pytest.mark.net
def test_sockets() -> None:
    hardly_more(sockets)


def relay(count: int) -> int:
    """A relay's steps from arrival to release."""
    steps = Steps()
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        closing(open_udp(bind=("127.0.0.1", 0))) as node,
        closing(open_udp(bind=("127.0.0.1", 0), slots=MEDIA_SLOTS)) as near,
        closing(open_udp(peer=near.local(), slots=MEDIA_SLOTS)) as client,
    ):
        path = Conditions((Impairment(delay_ns=1000),), (), 1)
        loop = RelayLoop(RelayConfig(node.local(), near.local(), path), near, Pipe(ours))
        for turn in range(ROUNDS):
            client.send(packets(count))
            with steps.counted():
                loop._hear_near(monotonic_ns())
                loop._release(monotonic_ns() + MS)
            assert loop._up.sent == (turn + 1) * count
        loop._flows.expire(monotonic_ns() + 10**15)
    return steps.count


@linux
@pytest.mark.net
def test_relay() -> None:
    hardly_more(relay)
