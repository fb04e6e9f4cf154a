"""A series in slices of time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis.over_time import MOST, over_time
from tests.analysis.made import MS
from tests.analysis.traces import trace


@given(st.lists(st.one_of(st.none(), st.floats(1, 500)), min_size=1, max_size=700))
def test_slices_divide_the_series(delays: list[float | None]) -> None:
    series = trace(delays)
    bad = series.bad(200 * MS)
    slices = over_time(series, bad)
    assert len(slices) <= MOST
    assert sum(piece.packets for piece in slices) == len(delays)
    assert sum(piece.lost for piece in slices) == np.count_nonzero(series.lost)
    assert sum(piece.bad for piece in slices) == np.count_nonzero(bad)
    assert len(set(np.diff([piece.start_ns for piece in slices]).tolist())) <= 1


def test_each_slice_has_its_own_middle_delay() -> None:
    slices = over_time(trace([50.0] * 300 + [None] * 300 + [80.0] * 300), np.zeros(900, np.bool_))
    middles = [piece.median_ns for piece in slices]
    assert middles[:20] == [0] * 20
    assert middles[20:40] == [None] * 20
    assert middles[40:] == [30 * MS] * 20
