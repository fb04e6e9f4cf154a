"""However packets come together into a batch, each is taken, logged and answered as if it had come alone."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from probe.methods.batch import ADDRESS_BYTES, Batch
from probe.methods.media_client import MediaClient
from probe.methods.reflections import NodeCounts
from probe.methods.reflector import Reflector
from probe.methods.schedule import Schedule, StreamSpec, schedule, stream_spec
from probe.metrics import RUNNING, empty_rows
from probe.wire.log import LOG
from tests.exchange import SSRC_BASE, TOKEN, reflector_for

MS = 1_000_000
START = 1_000 * MS
CALLS = 6
SOUND, STRANGER = "sound", "stranger"
DAMAGES = {"version": 0, "type": 1, "slot": 9, "kind": 14, "index": 17, "token": 20, "check": 71, "tail": 90}
"""Which byte of the packet is another than was sent."""


class Arrival(NamedTuple):
    number: int
    what: str


class Outcome(NamedTuple):
    log: list[tuple[int, ...]]
    counts: NodeCounts
    strays: int
    replies: list[tuple[bytes, int]]


@cache
def sent() -> tuple[StreamSpec, Schedule, Batch]:
    """All packets of a short session, as its client makes them."""
    spec = stream_spec("voice", calls=CALLS, duration_ns=100 * MS)
    plan = schedule(spec, np.random.default_rng(1))
    rows = empty_rows(CALLS * plan.packets, RUNNING)
    client = MediaClient(spec, plan, rows, ssrc_base=SSRC_BASE, token=TOKEN, nack=True, start_ns=START)
    return spec, plan, client.packets_to_send(START, START + 200 * MS)


def arriving(arrivals: list[Arrival]) -> Batch:
    packets = sent()[2].take(np.array([arrival.number for arrival in arrivals]))
    address = np.zeros((len(arrivals), ADDRESS_BYTES), np.uint8)
    for row, arrival in enumerate(arrivals):
        if arrival.what == STRANGER:
            address[row, 5] = 1
        elif arrival.what != SOUND:
            packets.data[row, DAMAGES[arrival.what]] ^= 0x40
    time_ns = START + 300 * MS + 1_000 * np.arange(len(arrivals))
    return packets._replace(time_ns=time_ns, address=address, kernel_stamped=True, tag=None)


def taken(parts: list[Batch], *, room: int) -> Outcome:
    """What comes of these batches, one after the other, when all are answered at once."""
    spec, plan, _ = sent()
    log: NDArray[np.void] = np.zeros(room, LOG)
    reflector: Reflector
    reflector, session = reflector_for(spec, plan.packets, log, nack=True)
    for part in parts:
        if not reflector.receive_usual(part):
            reflector.receive(part)
    back = reflector.packets_to_send(START + 400 * MS, START + 400 * MS)
    replies = [
        (back.data[row, :size].tobytes(), int(back.time_ns[row])) for row, size in enumerate(back.size)
    ]
    return Outcome(log[: session.counts.logged].tolist(), session.counts, reflector.strays, sorted(replies))


def numbers() -> st.SearchStrategy[int]:
    return st.integers(0, CALLS * sent()[1].packets - 1)


in_any_order = st.lists(st.builds(Arrival, numbers(), st.just(SOUND)), min_size=1, max_size=40)
each_once = st.lists(st.builds(Arrival, numbers(), st.just(SOUND)), min_size=1, unique=True)
in_order = each_once.map(sorted)
with_damage = st.lists(
    st.builds(Arrival, numbers(), st.sampled_from([SOUND, SOUND, SOUND, STRANGER, *DAMAGES])),
    min_size=1,
    max_size=20,
)


@pytest.mark.slow
@settings(max_examples=150)
@given(
    st.one_of(each_once, in_order, in_any_order, with_damage), st.integers(1, 40), st.sampled_from([60, 10])
)
def test_batches_come_to_the_same_as_packets_alone(arrivals: list[Arrival], length: int, room: int) -> None:
    batch = arriving(arrivals)
    count = len(arrivals)
    alone = [batch.take(np.array([row])) for row in range(count)]
    together = [batch.take(np.arange(at, min(at + length, count))) for at in range(0, count, length)]
    expected, found = taken(alone, room=room), taken(together, room=room)
    if expected.counts.log_overflow or found.counts.log_overflow:  # a batch that does not fit is not split
        assert expected.counts.received == found.counts.received
        return
    assert found == expected


@pytest.mark.parametrize("what", [*DAMAGES, STRANGER])
def test_only_a_batch_without_fault_takes_the_quick_way(what: str) -> None:
    spec, plan, _ = sent()
    arrivals = [Arrival(number, SOUND) for number in (3, 0, 11, 5, 2)]
    for fault in (SOUND, what):
        reflector, session = reflector_for(spec, plan.packets, np.zeros(60, LOG), nack=True)
        batch = arriving([*arrivals[:2], Arrival(11, fault), *arrivals[3:]])
        assert reflector.receive_usual(batch) == (fault == SOUND)
        assert session.counts.received == (len(arrivals) if fault == SOUND else 0)
        assert session.counts.corrupt == reflector.strays == 0
