"""A gap is asked for when a later packet reveals it, however many packets are handed over at once."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis.recovery_model import residual_retransmitted
from probe.impairment.profile import Impairment, Loss
from probe.methods.nack import NackList
from probe.metrics import NEVER
from probe.wire import rtcp
from tests.exchange import Exchange, exchange

MS = 1_000_000


def asked(nack: NackList, until_ns: int) -> list[tuple[int, int, int]]:
    """(time, stream, sequence) of everything asked for, a window at a time."""
    found = []
    for now_ns in range(0, until_ns, MS):
        batch = nack.packets_to_send(now_ns, now_ns)
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


@pytest.mark.slow
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


def lossy(loss: float) -> Impairment:
    return Impairment(delay_ns=50 * MS, loss=Loss(loss, None) if loss else None)


def residual(result: Exchange, way: str, deadline_ns: int) -> tuple[float, int]:
    """Share of a direction's packets not there within the deadline above the path's 50 ms, and of how many."""
    left, arrived, repaired = (
        ("sent_ns", "node_received_ns", "up_repaired_ns")
        if way == "up"
        else ("node_sent_ns", "received_ns", "down_repaired_ns")
    )
    settled = result.rows["scheduled_ns"] < result.rows["scheduled_ns"].max() - 1000 * MS
    rows = result.rows[settled & (result.rows[left] != NEVER)]
    in_time = rows[repaired] - rows[left] <= 50 * MS + deadline_ns
    playable = (rows[arrived] != NEVER) | ((rows[repaired] != NEVER) & in_time)
    return float(1 - playable.mean()), len(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "p", "q"),
    # The node reflects what arrives: with losses on the way up the gaps of the way down are revealed later.
    [("up", 0.3, 0.3), ("up", 0.3, 0.0), ("down", 0.3, 0.0)],
)
def test_the_residual_is_that_of_as_many_attempts_as_fit_the_deadline(way: str, p: float, q: float) -> None:
    """p (1 - (1 - p)(1 - q))^k, with k retransmissions that arrive at 20 + n (100 to 120) ms."""
    up, down = (p, q) if way == "up" else (q, p)
    result = exchange(lossy(up), lossy(down), calls=10, seconds=20)
    for deadline_ms, attempts in ((100, 0), (200, 1), (300, 2), (400, 3)):
        expected = residual_retransmitted(p, attempts, q)
        found, n = residual(result, way, deadline_ms * MS)
        # A request names all that a stream misses at the time, and that is lost with it: a third more scatter. And a
        # gap at which five packets end is revealed too late for the last attempt.
        slack = 4 * 1.33 * sqrt(expected * (1 - expected) / n)
        assert expected - slack <= found <= expected + slack + p**5


def one_loss(result: Exchange) -> list[float]:
    """When the repairs of the upstream arrived, in ms after the packet should have."""
    rows = result.rows[result.rows["up_repaired_ns"] != NEVER]
    after = rows["up_repaired_ns"] - rows["sent_ns"] - 50 * MS
    return sorted((after / MS).tolist())


def test_the_first_repair_arrives_a_packet_and_a_round_trip_after_its_packet_was_due() -> None:
    """libwebrtc asks as soon as a later packet reveals the gap: 20 + 100 ms (quality.md T32)."""
    found = one_loss(exchange(lossy(0.02), lossy(0), calls=2, seconds=20))
    assert len(found) > 20
    assert np.median(found) == 120
    assert sum(one == 120 for one in found) > 0.9 * len(found)


def test_later_requests_leave_on_a_tick_after_a_round_trip_each_and_end_after_ten() -> None:
    nack = NackList(1, 50, sender_ssrc=1, media_ssrc=100)
    nack.on_received(np.zeros(2, np.int64), np.array([0, 2]), np.array([0, 7 * MS]))
    times = [time_ns // MS for time_ns, _, _ in asked(nack, 2500 * MS)]
    # 7, then the first tick of 20 ms at least 100 ms after: 107 -> 120, 220, ...
    assert times == [7, *range(120, 120 + 9 * 100, 100)]
    nack = NackList(1, 50, sender_ssrc=1, media_ssrc=100)
    nack.rtt_ns = 450 * MS
    nack.on_received(np.zeros(2, np.int64), np.array([0, 2]), np.array([0, 7 * MS]))
    # After T_max a repair is worth nothing.
    assert [time_ns // MS for time_ns, _, _ in asked(nack, 4000 * MS)] == [7, 460, 920, 1380, 1840]


def test_what_a_stream_misses_at_one_moment_is_asked_for_at_once() -> None:
    nack = fresh()
    sequence = np.array([0, 2, 3, 6])
    nack.on_received(np.zeros(4, np.int64), sequence, 10 * MS * (1 + sequence))
    batch = nack.packets_to_send(0, 90 * MS)
    assert batch.time_ns.tolist() == [30 * MS, 70 * MS]
    nack = fresh()
    nack.on_received(np.zeros(4, np.int64), sequence, 10 * MS * (1 + sequence))
    assert nack.packets_to_send(90 * MS, 90 * MS).time_ns.tolist() == [90 * MS]
