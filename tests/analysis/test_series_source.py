"""Traces of arrivals and stored sessions become the same series."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis.population import Population
from probe.analysis.series_delay import ipdv_population
from probe.analysis.series_source import from_arrivals, of_session, unwrap_sequence
from probe.analysis.session import analyse_session
from probe.metrics import NEVER
from tests.analysis.made import MS, NODE_AHEAD, S, crossings, noisy, record, times

DATE = 1_790_000_000 * S


def test_t07_sequence_numbers_wrap() -> None:
    """quality.md T07: 65534, 65535, 0, 1, 3 is six packets, one lost."""
    numbers = unwrap_sequence(np.array([65534, 65535, 0, 1, 3], np.uint16))
    assert numbers.tolist() == [65534, 65535, 65536, 65537, 65539]
    series = from_arrivals(numbers, numbers * 20 * MS, numbers * 20 * MS)
    assert (len(series.seq), int(series.lost.sum())) == (6, 1)
    assert unwrap_sequence(np.array([1, 65535, 2, 0], np.uint16)).tolist() == [1, -1, 2, 0]
    assert len(unwrap_sequence(np.zeros(0, np.uint16))) == 0


def test_trap_5_a_duplicate_hides_no_loss() -> None:
    """quality.md T07: 1, 2, 2, 3, 5 by RFC 3550 loses nothing; number 4 is lost all the same."""
    seq = np.array([1, 2, 2, 3, 5])
    series = from_arrivals(seq, seq * 20 * MS, times([20, 40, 41, 60, 100]))
    assert series.seq[series.lost].tolist() == [4]
    assert series.duplicates == 1
    assert series.received_ns[1] == 40 * MS


def test_a_packet_never_seen_was_sent_between_its_neighbours() -> None:
    seq = np.array([1, 4, 5])
    series = from_arrivals(seq, DATE + times([0, 60, 80]), DATE + times([9, 69, 89]))
    assert (series.sent_ns - DATE).tolist() == times([0, 20, 40, 60, 80]).tolist()
    assert series.lost.tolist() == [False, True, True, False, False]


def test_both_orders_of_rows_give_the_same_series() -> None:
    sent = times([0, 20, 40, 60, 80, 100])
    received = times([50, 75, None, 130, 115, None])
    by_sending = from_arrivals(np.arange(6), sent, received, size=np.arange(6))
    arrival = np.array([0, 1, 4, 3, 2, 5])
    by_arrival = from_arrivals(arrival, sent[arrival], received[arrival], size=arrival)
    for series in (by_sending, by_arrival):
        assert series.sent_ns.tolist() == sent.tolist()
        assert series.received_ns.tolist() == received.tolist()
        assert series.order.tolist() == [0, 1, 4, 3]
        assert series.size is not None and series.size.tolist() == list(range(6))


def test_the_first_copy_counts_and_the_first_sending() -> None:
    seq = np.array([0, 1, 1, 2, 1])
    series = from_arrivals(seq, times([0, 20, 95, 40, None]), times([50, None, 140, 90, None]))
    assert series.sent_ns.tolist() == times([0, 20, 40]).tolist()
    assert series.received_ns.tolist() == times([50, 140, 90]).tolist()
    assert (series.duplicates, series.order.tolist()) == (0, [0, 2, 1])


def test_beyond_t_max_is_lost() -> None:
    """RFC 7680: the threshold, counted from the smallest delay where clocks differ."""
    delays = times([50, 2050, 2051])
    sent = times([0, 20, 40])
    assert from_arrivals(np.arange(3), sent, sent + delays - DATE).lost.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("seq", "unit", "expected"),
    [
        ([0, 1, 3, 4], [0, 0, 3000, 3000], [0, 0, 3000, 3000, 3000]),
        ([0, 1, 6, 7], [0, 3000, 9000, 12000], [0, 3000, 3000, 6000, 6000, 9000, 9000, 12000]),
        ([0, 2], [5, 5], [5, 5, 5]),
    ],
)
def test_a_packet_never_seen_is_of_a_frame_of_the_grid(
    seq: list[int], unit: list[int], expected: list[int]
) -> None:
    rows = np.array(seq)
    series = from_arrivals(rows, rows * MS, rows * MS + 5, unit=np.array(unit))
    assert series.unit is not None and series.unit.tolist() == expected


@pytest.mark.parametrize(
    ("seq", "sent", "received", "message"),
    [
        ([], [], [], "at least one packet"),
        ([1], [None], [5], "without a time of sending"),
        ([1], [None], [None], "no packet has a time of sending"),
        ([1, 4_000_000_000], [0, 20], [1, 21], "2 rows span 4000000000 sequence numbers"),
    ],
)
def test_what_cannot_be_a_stream_is_refused(
    seq: list[int], sent: list[float | None], received: list[float | None], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        from_arrivals(np.array(seq, np.int64), times(sent), times(received))


rows = st.lists(
    st.tuples(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 900))), min_size=1, max_size=40
)


@given(rows)
def test_no_order_of_rows_and_no_repetition_loses_a_packet(seen: list[tuple[int, int | None]]) -> None:
    seq = np.array([number for number, _ in seen])
    delay = times([d for _, d in seen])
    sent = seq * 20 * MS
    received = np.where(delay == NEVER, NEVER, sent + delay)
    series = from_arrivals(seq, sent, received)
    first: dict[int, int] = {}
    for number, at in zip(seq.tolist(), received.tolist(), strict=True):
        if at != NEVER:
            first[number] = min(at, first.get(number, at))
    numbers = range(int(seq.min()), int(seq.max()) + 1)
    assert series.seq.tolist() == list(numbers)
    assert series.received_ns.tolist() == [first.get(number, NEVER) for number in numbers]
    assert series.sent_ns.tolist() == [20 * MS * number for number in numbers]
    assert series.duplicates == np.count_nonzero(delay != NEVER) - len(first)
    arrived = series.received_ns[series.order]
    assert (np.diff(arrived) >= 0).all() and len(arrived) == len(first)


def test_a_session_gives_the_series_of_its_directions() -> None:
    """The same losses, residuals and reordering as the session's own summary."""
    known = record(packets=300, deadline_ns=100 * MS, calls=2, duration_ns=6 * S)
    packets = noisy(600, 7, streams=2)
    summary = analyse_session(known, packets)
    for name, expected in (("up", summary.up), ("down", summary.down)):
        assert expected is not None
        streams = of_session(known, packets, name)  # type: ignore[arg-type]
        assert len(streams) == 2
        assert sum(len(s.seq) for s in streams) == expected.sent
        assert sum(int(s.lost.sum()) for s in streams) == expected.lost
        assert sum(int(s.bad(100 * MS).sum()) for s in streams) == expected.residual
        variation = Population.pooled(ipdv_population(s) for s in streams)
        assert variation.distribution() == expected.ipdv_ms
        assert {s.interval_ns for s in streams} == {20 * MS}


def test_an_unsent_packet_is_no_loss() -> None:
    packets = crossings([30.0] * 10, [40.0] * 10)
    packets["unsent"][4] = 1
    for field in ("sent_ns", "node_received_ns", "node_sent_ns", "received_ns"):
        packets[field][4] = NEVER
    (up,) = of_session(record(packets=10, duration_ns=200 * MS), packets, "up")
    assert up.seq.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert not up.lost.any()


def test_a_frame_of_a_session_is_one_media_unit() -> None:
    packets = crossings([30.0] * 6, [40.0] * 6, spacing_ms=10)
    packets["scheduled_ns"] = packets["scheduled_ns"][0] + np.arange(6) // 3 * 30 * MS
    (up,) = of_session(record(packets=6, duration_ns=60 * MS, interval_ns=30 * MS), packets, "up")
    assert up.unit is not None and len(np.unique(up.unit)) == 2
    assert (up.interval_ns, up.unit_ns) == (10 * MS, 30 * MS)


def test_one_way_and_empty_sessions() -> None:
    packets = crossings([30.0, None], [40.0] * 2)
    assert of_session(record(packets=2, duration_ns=40 * MS, one_way=True), packets, "down") == []
    gone = crossings([None, None], [None, None])
    gone["up_repaired_ns"] = gone["sent_ns"] + NODE_AHEAD
    (up,) = of_session(record(packets=2, duration_ns=40 * MS), gone, "up")
    assert up.lost.all() and up.bad(S).all()


def test_the_node_may_not_have_told_its_numbers() -> None:
    packets = crossings([30.0] * 3, [40.0] * 3)
    packets["down_seq"] = -1
    (down,) = of_session(record(packets=3, duration_ns=60 * MS), packets, "down")
    assert down.seq.tolist() == [0, 1, 2]
