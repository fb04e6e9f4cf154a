"""What every batch asks, against the plainest way to answer it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.methods.arrays import distinct, first_occurrences, in_turns, mark, occurrences, repeats
from probe.methods.batch import ADDRESS_BYTES, all_from

few = st.lists(st.integers(0, 5), max_size=60)
many = st.lists(st.integers(0, 400), max_size=60)
runs = st.builds(lambda keys, times: keys * times, st.permutations(range(40)), st.integers(1, 4))
keys = st.one_of(few, many, runs)


@given(keys)
def test_occurrences_counts_what_stands_before(values: list[int]) -> None:
    expected = [values[:row].count(value) for row, value in enumerate(values)]
    found = occurrences(np.array(values, np.int64))
    assert (found is None) == (max(expected, default=0) == 0)
    assert found is None or found.tolist() == expected


@pytest.mark.slow
@given(st.lists(st.sets(st.integers(0, 40)), max_size=12).filter(any))
def test_turns_come_to_the_same(turns: list[set[int]]) -> None:
    rows = [(index, stream) for index, turn in enumerate(turns) for stream in sorted(turn)]
    index, stream = np.array(rows, np.int64).T.copy()
    before, expected = in_turns(stream, index, 41), occurrences(stream)
    found = np.zeros(len(rows)) if before is None else before
    assert found.tolist() == (np.zeros(len(rows)) if expected is None else expected).tolist()


@given(keys.filter(bool))
def test_repeats_names_the_first_of_each(values: list[int]) -> None:
    rows, first = repeats(np.array(values, np.int64))
    expected = [(row, values.index(value)) for row, value in enumerate(values) if value in values[:row]]
    assert list(zip(rows.tolist(), first.tolist(), strict=True)) == expected


@pytest.mark.slow
@given(keys, st.sets(st.integers(0, 400)))
def test_what_is_new_is_found_in_any_order(values: list[int], before: set[int]) -> None:
    array = np.array(values, np.int64)
    seen = np.zeros(401, np.bool_)
    seen[list(before)] = True
    first = [value not in values[:row] for row, value in enumerate(values)]
    assert distinct(array) == all(first)
    assert first_occurrences(array).tolist() == first
    known = mark(seen, array)
    assert known.tolist() == [value in before or not new for value, new in zip(values, first, strict=True)]
    assert set(np.flatnonzero(seen).tolist()) == before | set(values)


@given(st.integers(1, 9), st.integers(0, 8), st.integers(0, ADDRESS_BYTES - 1))
def test_one_other_address_in_any_byte_is_seen(count: int, row: int, byte: int) -> None:
    address = np.tile(np.arange(ADDRESS_BYTES, dtype=np.uint8), (count, 1))
    peer = address[0].tobytes()
    assert all_from(address, peer)
    assert not all_from(address, None)
    address[row % count, byte] ^= 1
    assert not all_from(address, peer)
