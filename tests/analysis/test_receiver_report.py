"""What RTCP would report: RFC 3550 A.3 and figure 2."""

from __future__ import annotations

import numpy as np
import pytest

from probe.analysis.receiver_report import (
    cumulative_lost,
    expected_and_received,
    fraction_lost,
    round_trip,
)
from probe.analysis.series_source import from_arrivals
from tests.analysis.made import MS
from tests.analysis.traces import trace


@pytest.mark.parametrize(
    ("expected", "received", "fraction"),
    [(100, 95, 12), (250, 240, 10), (50, 51, 0), (200, 150, 64), (0, 0, 0)],
)
def test_t07_fraction_lost(expected: int, received: int, fraction: int) -> None:
    assert fraction_lost(expected, received) == fraction


@pytest.mark.parametrize(
    ("numbers", "expected", "received"),
    [([1, 2, 2, 3, 5], 5, 5), ([65534, 65535, 65536, 65537, 65539], 6, 5)],
)
def test_t07_duplicates_are_received(numbers: list[int], expected: int, received: int) -> None:
    seq = np.array(numbers)
    assert expected_and_received(from_arrivals(seq, seq * MS, seq * MS + 5)) == (expected, received)


def test_more_copies_than_packets_are_a_negative_loss() -> None:
    assert cumulative_lost(50, 51) == -1
    assert (cumulative_lost(2**30, 0), cumulative_lost(0, 2**30)) == (2**23 - 1, -(2**23))
    assert expected_and_received(trace([None])) == (0, 0)


def test_t06_round_trip() -> None:
    """RFC 3550 figure 2: A = 46864.500, DLSR = 5.250, LSR = 46853.125 s."""
    assert round_trip(0xB710_8000, 0x0005_4000, 0xB705_2000) == 6.125
    assert round_trip(0x0000_8000, 0x0000_4000, 0xFFFF_0000) == 1.25
