"""Virtual playout: residual by buffer, the buffer a residual needs, and concealed seconds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis.playout import (
    BUFFERS_NS,
    ConcealedSeconds,
    concealed_seconds,
    media_units,
    required_buffer,
    residual_curve,
)
from tests.analysis.made import MS, times
from tests.analysis.traces import trace

T11B = (68, 68, 68, 68, 150, 68, 68, 90, None, 68)


def test_t11b_residual_by_buffer() -> None:
    """quality.md T11b."""
    curve = residual_curve(trace(T11B).playable_after(), [b * MS for b in (20, 40, 60, 100)])
    assert [share.ratio for share in curve.values()] == [0.3, 0.2, 0.2, 0.1]
    assert list(residual_curve(trace(T11B).playable_after())) == list(BUFFERS_NS)


@pytest.mark.parametrize(
    ("residual", "buffer_ms"), [(0.3, 0), (0.2, 22), (0.1, 82), (0.0999, math.inf), (0, math.inf), (1, 0)]
)
def test_required_buffer(residual: float, buffer_ms: float) -> None:
    assert required_buffer(trace(T11B).playable_after(), residual) == buffer_ms * MS


@given(st.lists(st.one_of(st.none(), st.integers(0, 500)), min_size=1, max_size=40), st.integers(0, 40))
def test_the_required_buffer_is_the_smallest(delays: list[int | None], misses: int) -> None:
    after, n = trace(delays).playable_after(), len(delays)
    residual = min(misses / n, 1.0)
    found = required_buffer(after, residual)
    assert found is not None
    allowed = round(residual * n)
    if math.isinf(found):
        assert sum(d is None for d in delays) > allowed
    else:
        assert residual_curve(after, [int(found)])[int(found)].hits <= allowed
        assert found == 0 or residual_curve(after, [int(found) - 1])[int(found) - 1].hits > allowed


def test_nothing_needs_no_buffer() -> None:
    assert required_buffer(np.zeros(0, np.int64), 0.01) is None


@pytest.mark.parametrize(("misses", "severely"), [(3, 1), (2, 0)])
def test_t17_severely_concealed(misses: int, severely: int) -> None:
    """RFC 7294: more than 5 % (50 ms) of the second; 3 of 50 packets of 20 ms are 6 %, 2 are 4 %."""
    delays: list[float | None] = [50] * 150
    delays[60 : 60 + misses] = [None] * misses
    series = trace(delays)
    assert concealed_seconds(series, series.lost) == ConcealedSeconds(3, 1, severely)


def test_a_short_last_second_is_judged_by_duration() -> None:
    series = trace([50] * 59 + [None])
    assert concealed_seconds(series, series.lost) == ConcealedSeconds(2, 1, 0)
    empty = series.rows(0, 0)
    assert concealed_seconds(empty, empty.lost) == ConcealedSeconds(0, 0, 0)


def test_a_frame_plays_only_whole() -> None:
    bad = np.array([False, True, False, False, False, True])
    series = trace([50] * 6, interval_ms=10, unit=np.array([0, 0, 0, 3, 3, 9]))
    starts, frames = media_units(series, bad)
    assert (starts.tolist(), frames.tolist()) == (times([0, 30, 50]).tolist(), [True, False, True])
    mixed = trace([50] * 6, interval_ms=10, unit=np.array([0, 3, 0, 3, 9, 9]))
    starts, frames = media_units(mixed, bad)
    assert (starts.tolist(), frames.tolist()) == (times([0, 10, 40]).tolist(), [False, True, True])
    assert media_units(trace([50] * 6), bad)[1] is bad
