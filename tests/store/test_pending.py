"""When a segment is full: 5 s of measuring, 65,536 rows, or another UTC date."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.metrics import Rows, empty_rows
from probe.store.pending import Pending
from tests.store.samples import MONOTONIC_START, MS, make_record, make_rows

DAY_NS = 86_400 * 1000 * MS


def drain(pending: Pending) -> list[Rows]:
    segments = []
    while len(rows := pending.full(make_record())):
        segments.append(rows)
        pending.drop(len(rows))
    return segments


def test_five_seconds_fill_a_segment() -> None:
    pending = Pending()
    pending.add(make_rows(250))  # 0 .. 4.98 s
    assert drain(pending) == []
    pending.add(make_rows(1, first=250))
    assert [len(rows) for rows in drain(pending)] == [250]
    assert len(pending) == 1


def test_65536_rows_fill_a_segment() -> None:
    pending = Pending()
    pending.add(make_rows(65_535, interval_ns=1000))
    assert drain(pending) == []
    pending.add(make_rows(65_538, first=65_535, interval_ns=1000))
    assert [len(rows) for rows in drain(pending)] == [65_536, 65_536]
    assert len(pending) == 1


def test_many_streams_handed_over_stream_after_stream_are_cut_in_time() -> None:
    pending = Pending()
    pending.add(make_rows(1500, streams=4))  # 30 s, stream-major
    segments = drain(pending)
    assert [len(rows) for rows in segments] == [1000] * 5
    assert all(set(rows["stream"]) == {0, 1, 2, 3} for rows in segments)
    assert len(pending) == 1000


def test_midnight_utc_fills_a_segment() -> None:
    pending = Pending()
    rows = make_rows(100)
    midnight = MONOTONIC_START + DAY_NS // 2
    rows["scheduled_ns"] = midnight - 2 * MS + np.arange(100) * MS
    pending.add(rows)
    assert [len(segment) for segment in drain(pending)] == [2]


def test_rows_are_copied() -> None:
    pending, rows = Pending(), make_rows(3)
    pending.add(rows)
    rows["seq"] = 99
    assert list(pending.rest()["seq"]) == [0, 1, 2]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6), max_size=8))
def test_every_row_is_in_one_segment(batches: list[list[int]]) -> None:
    pending, segments = Pending(), []
    seq = 0
    for times in batches:
        rows = empty_rows(len(times))
        rows["scheduled_ns"] = times
        rows["seq"] = seq + np.arange(len(times))
        seq += len(times)
        pending.add(rows)
        segments += drain(pending)
    assert all(
        int(rows["scheduled_ns"].max()) - int(rows["scheduled_ns"].min()) < 5000 * MS for rows in segments
    )
    stored = [int(number) for rows in [*segments, pending.rest()] for number in rows["seq"]]
    assert sorted(stored) == list(range(seq))
