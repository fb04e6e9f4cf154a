"""Goodput in 200 ms bins and its way back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from probe.analysis.goodput import goodput_bps, ramp_t90
from probe.analysis.series import Series
from tests.analysis.made import MS, S
from tests.analysis.traces import trace


def stream(delays: list[float | None]) -> Series:
    return trace(delays, size=np.full(len(delays), 250))


def test_goodput_counts_arrivals() -> None:
    assert goodput_bps(stream([50.0] * 50), 0, 5).tolist() == [100_000] * 5
    assert goodput_bps(stream([50.0] * 5 + [None] * 5), 0, 2).tolist() == [50_000, 0]
    assert goodput_bps(stream([50.0] * 10), 100 * MS, 2).tolist() == [50_000, 0]
    with pytest.raises(ValueError, match="sizes"):
        goodput_bps(trace([50.0]), 0, 1)


def test_t90_is_the_first_of_five_bins() -> None:
    """Outage from 2 s to 3 s; half of the packets for 600 ms after it."""
    half: list[float | None] = [50.0, None] * 15
    series = stream([50.0] * 100 + [None] * 50 + half + [50.0] * 100)
    assert ramp_t90(series, 2 * S, 3 * S) == 600 * MS
    assert ramp_t90(stream([50.0] * 100 + [None] * 50 + [50.0] * 100), 2 * S, 3 * S) == 0


def test_not_back_or_not_known() -> None:
    never = stream([50.0] * 100 + [None] * 50 + [50.0, None] * 100)
    assert ramp_t90(never, 2 * S, 3 * S) == math.inf
    assert ramp_t90(stream([50.0] * 100), 1900 * MS, 1950 * MS) == math.inf
    assert ramp_t90(stream([50.0] * 100), 100 * MS, 200 * MS) is None
