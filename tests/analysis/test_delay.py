"""IPDV, PDV and interarrival jitter against the examples of the standards."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from probe.analysis.delay import arrival_order, ipdv, jitter, jitter_series, median
from probe.analysis.one_way import OneWay, one_way
from probe.metrics import NEVER, Times
from tests.analysis.made import MS, times

L = U = None


def direction(delays: Sequence[float | None], spacing_ms: float = 20) -> OneWay:
    n = len(delays)
    departed = times([spacing_ms * i for i in range(n)])
    delay = times(delays)
    arrived = np.where(delay == NEVER, NEVER, departed + delay)
    zero = np.zeros(n, np.int64)
    return one_way(zero, np.arange(n), departed, arrived, np.full(n, NEVER))


def in_ms(values: Times) -> list[float | None]:
    return [None if value == NEVER else value / MS for value in values.tolist()]


@pytest.mark.parametrize(
    ("delays", "expected_ipdv", "expected_pdv"),
    [
        pytest.param([20, 10, 20, 25, 20], [U, -10, 10, 5, -5], [10, 0, 10, 15, 10], id="T08"),
        pytest.param(
            [100, 110, 120, 130, 140, 150, 140, 130, 120, 110, 100],
            [U, *[10] * 5, *[-10] * 5],
            [0, 10, 20, 30, 40, 50, 40, 30, 20, 10, 0],
            id="T09 figure 2A",
        ),
        pytest.param(
            [100, 110, 150, L, 120, 100, 110, 150, 130, 120, 100],
            [U, 10, 40, U, U, -20, 10, 40, -20, -10, -20],
            [0, 10, 50, U, 20, 0, 10, 50, 30, 20, 0],
            id="T09 figure 2B",
        ),
        pytest.param(
            [3, L, 5, L, 4, L, 3, L, 4, L],
            [U] * 10,
            [0, U, 2, U, 1, U, 0, U, 1, U],
            id="T10 figure 3",
        ),
        pytest.param(
            [3, 4, L, L, L, L, L, 5, 4, 3],
            [U, 1, U, U, U, U, U, U, -1, -1],
            [0, 1, U, U, U, U, U, 2, 1, 0],
            id="T10 figure 4",
        ),
        pytest.param([4] * 4 + [9] * 5, [U, 0, 0, 0, 5, 0, 0, 0, 0], [0] * 4 + [5] * 5, id="T10 figure 5"),
        pytest.param(
            [3, 4, 3, 3, L, L, 8, 9, 8],
            [U, 1, -1, 0, U, U, U, 1, -1],
            [0, 1, 0, 0, U, U, 5, 6, 5],
            id="T10 figure 6",
        ),
    ],
)
def test_rfc_5481_examples(
    delays: list[float | None], expected_ipdv: list[float | None], expected_pdv: list[float | None]
) -> None:
    way = direction(delays)
    assert in_ms(way.excess) == expected_pdv
    delay = np.where(way.arrived == NEVER, NEVER, way.arrived - way.departed)
    assert in_ms(ipdv(way.stream, way.sequence, delay)) == expected_ipdv


def test_ipdv_spans_neither_streams_nor_missing_numbers() -> None:
    delay = times([1, 2, 5, 9])
    assert in_ms(ipdv(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), delay)) == [None, 1, None, 4]
    assert in_ms(ipdv(np.zeros(4, np.int64), np.array([0, 2, 3, 5]), delay)) == [None, None, 3, None]


def one_stream(departed_ms: Sequence[float | None], arrived_ms: Sequence[float | None]) -> list[float]:
    zero = np.zeros(len(departed_ms), np.int64)
    _, level = jitter_series(zero, times(departed_ms), times(arrived_ms))
    found: list[float] = (level / MS).tolist()
    return found


def test_t01_wireshark_example() -> None:
    departed = [stamp / 8 for stamp in (1240, 1400, 1560)]
    assert one_stream(departed, [348.411, 418.358, 421.891]) == pytest.approx([3.1216875, 3.95576953125])


def test_t02_arrival_order_and_a_loss() -> None:
    delays = (68, 68, 68, None, 68, 78, 68, 98, 68, 68)
    departed = [20.0 * i for i in range(10)]
    arrived = [None if d is None else 20 * i + d for i, d in enumerate(delays)]
    expected = [0, 0, 0, 0.625, 1.2109, 1.1353, 2.9393, 4.6306]
    assert one_stream(departed, arrived) == pytest.approx(expected, abs=1e-4)


def test_t04_alternating_transit() -> None:
    departed = [1000.0 * i for i in range(9)]
    arrived = [1000.0 * i + (80 if i % 2 else 0) for i in range(9)]
    expected = [5, 9.6875, 14.0820, 18.2019, 22.0643, 25.6853, 29.0799, 32.2624]
    assert one_stream(departed, arrived) == pytest.approx(expected, abs=1e-4)


def test_t05_step_response() -> None:
    departed = [1000.0 * i for i in range(17)]
    arrived = [1000.0 * i + (10 if i % 2 else 0) for i in range(17)]
    assert one_stream(departed, arrived)[-1] == pytest.approx(10 * (1 - (15 / 16) ** 16), rel=1e-9)


@pytest.mark.slow
@given(
    st.integers(1, 4),
    st.integers(1, 120),
    st.data(),
)
def test_jitter_is_the_recursion_of_rfc_3550(streams: int, each: int, data: st.DataObject) -> None:
    n = streams * each
    delay = data.draw(arrays(np.int64, n, elements=st.integers(0, 80 * MS)))
    gone = data.draw(arrays(np.bool_, n))
    stream = np.repeat(np.arange(streams), each)
    departed = np.tile(np.arange(each) * 20 * MS, streams)
    arrived = np.where(gone, NEVER, departed + delay)
    expected = []
    for number in range(streams):
        mine = np.flatnonzero((stream == number) & ~gone)
        mine = mine[np.argsort(arrived[mine], kind="stable")]
        level = 0.0
        for before, after in pairwise(mine.tolist()):
            d = abs(int(arrived[after] - departed[after]) - int(arrived[before] - departed[before]))
            level += (d - level) / 16
            expected.append(level)
    owner, level_ns = jitter_series(stream, departed, arrived)
    np.testing.assert_allclose(level_ns, expected, rtol=1e-9, atol=1e-6)
    assert (np.diff(owner) >= 0).all()


def test_the_last_jitter_is_the_worst_streams() -> None:
    stream = np.array([0, 0, 0, 1, 1])
    departed = times([0, 20, 40, 0, 20])
    found = jitter(stream, departed, times([10, 30, 50, 10, 46]))
    assert found.to_json() == {"max": 1.0, "mean": pytest.approx(1 / 3), "last": 1.0}
    assert jitter(stream, departed, np.full(5, NEVER)).n == 0


def test_equal_arrival_stamps_keep_the_order_of_sending() -> None:
    stream = np.array([0, 0, 0, 1])
    assert arrival_order(stream, times([5, 5, None, 1])).tolist() == [0, 1, 3]
    assert arrival_order(stream, times([5, 5, 4, 1])).tolist() == [2, 0, 1, 3]


def test_the_median_of_nothing_is_not_a_number() -> None:
    assert np.isnan(median(np.array([])))
