"""The worst window of a length, against all windows one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis.rtp_jitter import jitter_levels
from probe.analysis.worst_windows import JITTER_WINDOW_NS, share_of_windows, worst_jitter, worst_loss
from tests.analysis.made import MS, S, times
from tests.analysis.traces import trace


def test_t17_one_of_ten_is_ten_per_cent() -> None:
    """Teams' rule is below 10 % in any 200 ms: at 50 packets/s one loss breaks it (quality.md trap 9)."""
    series = trace([50] * 40 + [None] + [50] * 40)
    found = worst_loss(series, series.lost, 200 * MS)
    assert (found.lost, found.packets, found.ratio, found.coarse) == (1, 10, 0.1, True)
    assert share_of_windows(series, series.lost, 200 * MS, 0.1) == pytest.approx(1 / 9)
    fast = trace([50] * 40 + [None] + [50] * 40, interval_ms=10)
    assert not worst_loss(fast, fast.lost, 200 * MS).coarse


def test_the_whole_of_a_short_series() -> None:
    series = trace([50, None, 50, 50])
    found = worst_loss(series, series.lost, S)
    assert (found.ratio, found.start_ns, found.packets) == (0.25, 0, 4)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 12))
def test_no_window_is_worse(bits: list[bool], packets: int) -> None:
    series = trace([None if bit else 50.0 for bit in bits])
    found = worst_loss(series, series.lost, packets * 20 * MS)
    width = min(packets, len(bits))
    every = [sum(bits[i : i + width]) for i in range(len(bits) - width + 1)]
    assert (found.lost, found.packets) == (max(every), width)
    first = found.start_ns // (20 * MS)
    assert sum(bits[first : first + width]) == found.lost


@pytest.mark.parametrize(("window", "piece"), [(100 * MS, 7), (100 * MS, 1 << 18), (15 * S, 7)])
def test_worst_jitter(monkeypatch: pytest.MonkeyPatch, window: int, piece: int) -> None:
    monkeypatch.setattr("probe.analysis.pieces.PIECE", piece)
    random = np.random.default_rng(11)
    series = trace((50 + random.gamma(1, 30, 100)).tolist())
    levels = jitter_levels(series)
    arrived = series.received_ns[series.order]
    at = arrived[1:]
    complete = [i for i in range(len(at)) if at[i] + window <= at[-1]] or [0]
    expected = max(levels[(at >= at[i]) & (at < at[i] + window)].mean() for i in complete)
    assert worst_jitter(arrived, levels, window) == pytest.approx(expected)


def test_no_jitter_of_one_arrival() -> None:
    assert worst_jitter(times([5]), np.zeros(0)) is None
    assert JITTER_WINDOW_NS == 15 * S
