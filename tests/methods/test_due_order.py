"""The order of leaving, without a list of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.methods.due_order import DueOrder
from probe.methods.schedule import Schedule

MS = 1_000_000
START = 5_000 * MS


def shape(frames: list[int], offsets: list[int]) -> Schedule:
    """`frames`: packets of each 20 ms frame."""
    time_ns = np.repeat(np.arange(len(frames)) * 20 * MS, frames)
    count = len(time_ns)
    zeros = np.zeros(count, np.uint32)
    return Schedule(time_ns, np.full(count, 100, np.uint16), zeros > 0, zeros, np.array(offsets))


@settings(max_examples=100, deadline=None)
@given(
    frames=st.lists(st.integers(1, 7), min_size=1, max_size=20),
    offsets=st.lists(st.integers(0, 20 * MS - 1), min_size=1, max_size=9).map(sorted),
    data=st.data(),
)
def test_the_order_is_that_of_sorting_all_due_times(
    frames: list[int], offsets: list[int], data: st.DataObject
) -> None:
    plan = shape(frames, offsets)
    order = DueOrder(plan, START)
    streams = len(offsets)
    due = (START + plan.time_ns[:, None] + plan.offset_ns[None, :]).ravel()
    sorted_rows = np.lexsort((np.arange(len(due)) // streams, np.arange(len(due)) % streams, due))
    start = data.draw(st.integers(0, order.total))
    rows, at = order.rows(start, order.total)
    assert rows.tolist() == sorted_rows[start:].tolist()
    assert at.tolist() == due[sorted_rows[start:]].tolist()
    highest = np.full(len(offsets), -1)
    np.maximum.at(highest, sorted_rows[:start] % streams, sorted_rows[:start] // streams)
    assert order.highest(start).tolist() == highest.tolist()


def test_streams_that_would_overtake_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="spread"):
        DueOrder(shape([1, 1], [0, 20 * MS]), START)


def test_streams_that_do_not_begin_in_order_are_refused() -> None:
    with pytest.raises(ValueError, match="in order"):
        DueOrder(shape([1, 1], [1, 0]), START)


@settings(max_examples=100, deadline=None)
@given(
    packets=st.integers(1, 9),
    offsets=st.lists(st.integers(0, 20 * MS - 1), min_size=1, max_size=9).map(sorted),
    data=st.data(),
)
def test_packets_of_one_index_that_are_due_are_found_without_looking_at_each(
    packets: int, offsets: list[int], data: st.DataObject
) -> None:
    order = DueOrder(shape([1] * packets, offsets), START)
    streams = len(offsets)
    rows, due = order.rows(0, order.total)
    place = data.draw(st.integers(0, order.total - 1))
    until_ns = data.draw(st.integers(START - 1, int(due[-1]) + 1))
    most = data.draw(st.integers(1, streams))
    assert order.due_ns(place) == due[place]
    index, found = order.alike(place, until_ns, most)
    of_index = rows[place:] // streams == rows[place] // streams
    expected = rows[place:][of_index & (due[place:] <= until_ns)][:most]
    assert [index * streams + stream for stream in range(found.start, found.stop)] == expected.tolist()
