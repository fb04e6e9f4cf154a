"""RFC 4737 and RFC 5236: their own examples, and the definitions as loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis import reorder_bytes
from probe.analysis.reorder_density import buffer_density, densities, reorder_density
from probe.analysis.reorder_metrics import Reordering, reorder_metrics, reordering_of
from probe.analysis.series_source import from_arrivals
from tests.analysis.made import MS


def arrivals(seq: list[int], at: list[int] | None = None, size: int = 100) -> Reordering:
    times = np.array(range(len(seq)) if at is None else at, np.int64)
    return reorder_metrics(np.array(seq, np.int64), times, np.full(len(seq), size, np.int64))


def offsets(found: Reordering) -> list[int]:
    assert found.byte_offset is not None
    return [int(offset) for offset in found.byte_offset]


def test_t18_rfc_4737_table_1() -> None:
    """One late packet."""
    found = arrivals([1, 2, 3, 5, 6, 7, 8, 4, 9, 10], [68, 88, 108, 148, 168, 188, 208, 210, 228, 248])
    assert found.ratio.ratio == 0.1
    assert (found.extent.tolist(), found.n_reordering.tolist()) == ([4], [4])
    assert (found.late_ns.tolist(), offsets(found)) == ([62], [400])


def test_t19_rfc_4737_table_2() -> None:
    """One packet that came early: two are reordered, only the first of them 1-reordered."""
    found = arrivals([1, 2, 3, 4, 7, 5, 6, 8, 9, 10], [68, 88, 108, 128, 188, 189, 190, 208, 228, 248])
    assert found.ratio.ratio == 0.2
    assert (found.extent.tolist(), found.n_reordering.tolist()) == ([1, 2], [1, 0])
    assert (found.late_ns.tolist(), offsets(found)) == ([1, 2], [100, 100])


def test_t21_rfc_4737_table_4() -> None:
    """Two displaced runs."""
    found = arrivals([1, 2, 3, 6, 7, 4, 5, 8, 9, 10, 12, 13, 11, 14, 15, 16])
    assert (found.ratio.hits, found.ratio.n) == (3, 16)
    assert found.extent.tolist() == [2, 3, 2]
    assert (found.reordering_discontinuities + 1).tolist() == [4, 11]
    assert found.gaps.tolist() == [7]
    assert found.free_runs.tolist() == [5, 0, 5]
    assert (found.discontinuities.tolist(), found.discontinuity_sizes.tolist()) == ([3, 10], [2, 1])


@pytest.mark.parametrize(
    ("seq", "percent"),
    [
        ([1, 2, 4, 5, 6, 3, 7, 8, 9, 10], [10, 10, 10, 0]),
        ([1, 2, 3, 4, 8, 5, 6, 7, 9, 10], [10, 0]),
        ([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], [90, 80, 70, 60, 50, 40, 30, 20, 10, 0]),
    ],
)
def test_t22_n_reordering(seq: list[int], percent: list[int]) -> None:
    """draft-shalunov-reordering-definition-02, the examples of its program."""
    found = arrivals(seq)
    assert [found.degree(n).value() for n in range(1, len(percent) + 1)] == percent


def test_t23_rfc_5236() -> None:
    seq = np.array([1, 4, 2, 5, 3, 6, 7, 8])
    assert reorder_density(seq) == {-2: 0.125, -1: 0.125, 0: 0.5, 1: 0.125, 2: 0.125}
    assert buffer_density(seq) == {0: 0.625, 1: 0.25, 2: 0.125}
    lost_three = np.array([1, 2, 4, 5, 6, 7])
    assert reorder_density(lost_three) == {0: 1}
    assert buffer_density(lost_three) == {0: 1}


def test_a_lost_packet_is_a_discontinuity_but_reorders_nothing() -> None:
    found = arrivals([1, 2, 5, 6])
    assert (found.ratio.hits, found.discontinuity_sizes.tolist()) == (0, [2])
    assert (len(found.reordering_discontinuities), len(found.free_runs)) == (0, 0)


permutations = st.integers(1, 40).flatmap(lambda n: st.permutations(range(n)))


@given(permutations, st.booleans())
def test_every_dimension_is_its_definition(seq: list[int], by_halves: bool) -> None:
    at = np.cumsum(np.arange(1, len(seq) + 1))
    size = np.arange(len(seq)) * 7 + 1
    kept = reorder_bytes.NEAR
    reorder_bytes.NEAR = -1 if by_halves else kept
    try:
        found = reorder_metrics(np.array(seq), at, size)
    finally:
        reorder_bytes.NEAR = kept
    expected = []
    for i, s in enumerate(seq):
        ahead = [j for j in range(i) if seq[j] > s]
        if ahead:
            n = next((k for k in range(i) if seq[i - 1 - k] < s), i)
            late = int(at[i] - at[ahead[0]])
            expected.append((i, i - ahead[0], late, int(size[ahead].sum()), n))
    columns = (found.arrivals, found.extent, found.late_ns, found.byte_offset, found.n_reordering)
    assert list(zip(*(c.tolist() for c in columns if c is not None), strict=True)) == expected


@given(permutations)
def test_buffer_density_is_the_buffer_of_a_receiver(seq: list[int]) -> None:
    wanted, waiting, seen = 0, set(), []
    for s in seq:
        waiting.add(s)
        while wanted in waiting:
            waiting.remove(wanted)
            wanted += 1
        seen.append(len(waiting))
    levels = {k: seen.count(k) / len(seq) for k in set(seen)}
    assert buffer_density(np.array(seq)) == levels
    assert sum(reorder_density(np.array(seq)).values()) == pytest.approx(1)


def test_far_displacement_needs_no_table() -> None:
    seq = np.array([1_000_000, 1, 2])
    assert reorder_density(seq) == {-999_999: 1 / 3, 1: 1 / 3, 999_998: 1 / 3}
    assert reorder_density(seq[:0]) == buffer_density(seq[:0]) == {}


def test_duplicates_are_left_out_of_a_series() -> None:
    """RFC 4737 3.3: only the first copy; sizes are those of the packets."""
    seq = np.array([1, 3, 3, 2, 2, 4])
    found = reordering_of(from_arrivals(seq, seq * 20 * MS, np.arange(6) * MS + 100 * MS, size=seq * 100))
    assert (found.received, found.extent.tolist(), offsets(found)) == (4, [1], [300])
    assert densities(from_arrivals(seq, seq * 20 * MS, np.arange(6) * MS + 100 * MS))[1] == {0: 0.75, 1: 0.25}
    assert arrivals([1, 2]).late_ns.tolist() == []
