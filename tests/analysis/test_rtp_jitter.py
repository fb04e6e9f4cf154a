"""RFC 3550 jitter of a series: the float, and the integer of A.8."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis import rtp_jitter
from probe.analysis.delay import Integers
from probe.analysis.rtp_jitter import (
    integer_jitter,
    jitter_levels,
    jitter_summary,
    reported_jitter,
    transit_units,
)
from probe.analysis.series_source import from_arrivals
from tests.analysis.made import MS, times
from tests.analysis.traces import trace

ALTERNATING = [0, 80, 0, 80, 0, 80, 0, 80, 0]


def reports(transit: Integers) -> list[int]:
    """What a receiver would report after every arrival but the first."""
    return [level >> 4 for level in integer_jitter(transit)]


def test_t01_wireshark_example() -> None:
    """L. Ruoff, wireshark-users 2007-02: 8 kHz, time stamps 1240, 1400, 1560."""
    series = from_arrivals(np.arange(3), times([155, 175, 195]), times([348.411, 418.358, 421.891]))
    assert (jitter_levels(series) / MS).tolist() == pytest.approx([3.1216875, 3.95576953125])


def test_t02_pairs_are_in_order_of_arrival() -> None:
    series = trace([68, 68, 68, None, 68, 78, 68, 98, 68, 68])
    expected = [0, 0, 0, 0.625, 1.2109, 1.1353, 2.9393, 4.6306]
    assert (jitter_levels(series) / MS).tolist() == pytest.approx(expected, abs=1e-4)


def test_t04_integer_against_float() -> None:
    """RFC 3550 A.8: the state is 16 J and rounds."""
    assert reports(np.array(ALTERNATING)) == [5, 9, 14, 18, 22, 25, 29, 32]
    series = trace([d + 50 for d in ALTERNATING], interval_ms=1000)
    assert reports(transit_units(series, 1000)) == [5, 9, 14, 18, 22, 25, 29, 32]
    assert reported_jitter(series, 1000) == (32, 32)
    expected = [5, 9.6875, 14.0820, 18.2019, 22.0643, 25.6853, 29.0799, 32.2624]
    assert (jitter_levels(series) / MS).tolist() == pytest.approx(expected, abs=1e-4)


def test_t05_step_response() -> None:
    """64 % of a constant |D| after 16 packets: 10 (1 - (15/16)^16)."""
    levels = jitter_levels(trace([50 + 10 * (i % 2) for i in range(17)], interval_ms=1000)) / MS
    assert levels[-1] == pytest.approx(6.439258695)
    assert jitter_summary(levels * MS).to_json()["last"] == pytest.approx(6.439258695)


@pytest.mark.parametrize("chunk", [1, 2, 7, 1024])
def test_pieces_do_not_show(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    random = np.random.default_rng(3)
    series = trace((50 + random.gamma(2, 20, 3000)).tolist())
    whole = jitter_levels(series)
    units = reports(transit_units(series, 48_000))
    monkeypatch.setattr(rtp_jitter, "CHUNK", chunk)
    monkeypatch.setattr(rtp_jitter, "INTEGERS", chunk)
    np.testing.assert_allclose(jitter_levels(series), whole, rtol=1e-9)
    assert reported_jitter(series, 48_000) == (units[-1], max(units))


@given(st.lists(st.integers(-1000, 1000), max_size=50))
def test_the_integer_form_is_the_c_code(transit: list[int]) -> None:
    reported, jitter = [], 0
    for before, now in pairwise(transit):
        jitter += abs(now - before) - ((jitter + 8) >> 4)
        reported.append(jitter >> 4)
    assert reports(np.array(transit, np.int64)) == reported


def test_units_of_days_do_not_overflow() -> None:
    day = 86_400_000.0
    series = from_arrivals(np.arange(2), times([0, 7 * day]), times([0, 7 * day + 1]))
    assert transit_units(series, 90_000).tolist() == [0, 90]


def test_fewer_than_two_arrivals_have_no_jitter() -> None:
    assert jitter_summary(jitter_levels(trace([50, None]))).n == 0
    assert reports(transit_units(trace([None]), 8000)) == []
    assert [reported_jitter(trace(delays), 8000) for delays in ([None], [50, None])] == [None, None]
