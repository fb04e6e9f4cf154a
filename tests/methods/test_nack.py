"""A gap is asked for when a later packet reveals it, however many packets are handed over at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from probe.methods.nack import NackList
from probe.wire import rtcp

MS = 1_000_000


def asked(nack: NackList, until_ns: int) -> list[tuple[int, int, int]]:
    """(time, stream, sequence) of everything asked for, a window at a time."""
    found = []
    for now_ns in range(0, until_ns, MS):
        batch = nack.packets_to_send(now_ns)
        row, ssrc, lost = rtcp.parse_nacks(batch.data, batch.size)
        found += [
            (int(batch.time_ns[r]), int(s) - 100, int(q)) for r, s, q in zip(row, ssrc, lost, strict=True)
        ]
    return sorted(found)


def fresh() -> NackList:
    return NackList(3, 50, sender_ssrc=1, media_ssrc=100)


def test_each_gap_of_a_batch_has_the_time_of_the_packet_that_reveals_it() -> None:
    nack = fresh()
    sequence = np.array([0, 2, 3, 6])
    nack.on_received(np.zeros(4, np.int64), sequence, 10 * MS * (1 + sequence))
    assert asked(nack, 90 * MS) == [(30 * MS, 0, 1), (70 * MS, 0, 4), (70 * MS, 0, 5)]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20)), max_size=40), st.integers(1, 40))
def test_a_batch_is_taken_as_its_packets_one_by_one(packets: list[tuple[int, int]], cut: int) -> None:
    stream = np.array([one for one, _ in packets], np.int64)
    sequence = np.array([number for _, number in packets], np.int64)
    time_ns = np.arange(len(packets)) * MS
    batched, single = fresh(), fresh()
    for start in range(0, len(packets), cut):
        part = slice(start, start + cut)
        before = np.array([np.count_nonzero(stream[part][:at] == one) for at, one in enumerate(stream[part])])
        batched.on_received(stream[part], sequence[part], time_ns[part], before.astype(np.int64))
    for at, (one, number) in enumerate(packets):
        single.on_one_received(one, number, int(time_ns[at]))
    assert asked(batched, 100 * MS) == asked(single, 100 * MS)
