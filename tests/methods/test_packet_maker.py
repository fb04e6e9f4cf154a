"""Packets made of parts that are known beforehand, against the payload's own description."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from probe.methods.packet_maker import PacketMaker, Room
from probe.methods.schedule import Schedule, schedule, stream_spec
from probe.wire import media, rtp

BASE, TOKEN = 7 << 20, bytes(range(200, 216))
TIMES = st.integers(0, (1 << 63) - 1)
ROWS = slice(1, 4)


def maker(calls: int = 5) -> tuple[PacketMaker, Schedule]:
    spec = stream_spec("video", calls=calls, duration_ns=300_000_000)
    plan = schedule(spec, np.random.default_rng(1))
    return PacketMaker(plan, payload_type=spec.payload_type, ssrc_base=BASE, token=TOKEN), plan


def as_described(
    plan: Schedule, index: NDArray[np.int64], stream: NDArray[np.int64], width: int, t1: object, t2: int
) -> NDArray[np.uint8]:
    """The packets, written field by field."""
    data = np.zeros((len(index), width), np.uint8)
    rtp.write_headers(
        data,
        payload_type=media.PT_VIDEO,
        marker=plan.marker[index],
        sequence=index & 0xFFFF,
        timestamp=plan.timestamp[index],
        ssrc=BASE + stream,
    )
    fields = media.payloads(data)
    fields["magic"], fields["kind"], fields["token"] = (
        media.MAGIC,
        media.MEDIA,
        int.from_bytes(TOKEN[:4], "big"),
    )
    fields["index"], fields["t1"], fields["t2"] = index, t1, t2
    fields["check"] = media.checksums(data)
    return data


@given(leave_ns=TIMES, rtt_ns=TIMES)
def test_packets_that_leave_together_are_as_the_payload_describes(leave_ns: int, rtt_ns: int) -> None:
    packets, plan = maker()
    index, stream = np.arange(5) + 2, np.arange(5)[::-1].copy()
    block = packets.make(index, stream)
    block.stamp(ROWS, leave_ns, rtt_ns)
    block.stamp_one(0, leave_ns, rtt_ns)
    expected = as_described(plan, index, stream, packets.width, leave_ns, rtt_ns)
    assert np.array_equal(block.data[:4], expected[:4])
    assert block.size.tolist() == plan.size[index].tolist()


@pytest.mark.slow
@given(leave_ns=st.lists(TIMES, min_size=3, max_size=3), rtt_ns=TIMES)
def test_packets_that_leave_each_at_its_time_are_as_the_payload_describes(
    leave_ns: list[int], rtt_ns: int
) -> None:
    packets, plan = maker()
    index, stream = np.arange(5), np.arange(5)
    block = packets.make(index, stream)
    block.stamp_each(ROWS, np.array(leave_ns), rtt_ns)
    expected = as_described(plan, index[ROWS], stream[ROWS], packets.width, leave_ns, rtt_ns)
    assert np.array_equal(block.data[ROWS], expected)


@given(index=st.integers(0, 8), leave_ns=TIMES, rtt_ns=TIMES)
def test_copies_of_one_packet_are_as_if_each_was_made(index: int, leave_ns: int, rtt_ns: int) -> None:
    packets, plan = maker()
    room = Room(4, packets.width)
    for into in (None, room, room):
        packets.alike(8 - index, slice(0, 4), rtt_ns, leave_ns, into)  # nothing of it is left
        data, size, time_ns = packets.alike(index, slice(2, 5), leave_ns, rtt_ns, into)
        indexes, stream = np.full(3, index), np.arange(2, 5)
        assert np.array_equal(data, as_described(plan, indexes, stream, packets.width, leave_ns, rtt_ns))
        assert size.tolist() == plan.size[indexes].tolist()
        assert time_ns.tolist() == [leave_ns] * 3
