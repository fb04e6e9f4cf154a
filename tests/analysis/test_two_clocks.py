"""Offset and round trip of RFC 5905 8 (quality.md T40): what they are, and that the split is not in them."""

from __future__ import annotations

import pytest

from probe.analysis.two_clocks import Exchange, least_round_trip
from probe.metrics import empty_rows


def test_t40_offset_and_round_trip() -> None:
    exchange = Exchange(0, 60, 61, 101)
    assert (exchange.offset, exchange.round_trip) == (10, 100)
    assert exchange.offsets == (-40, 60)


@pytest.mark.parametrize("forth", [0, 20, 50, 100])
def test_t40_any_split_looks_alike(forth: int) -> None:
    """The other clock stands so that T2 and T3 are the same: half the round trip for each way, whatever the truth."""
    ahead = 60 - forth
    exchange = Exchange(0, forth + ahead, forth + 1 + ahead, 101)
    assert (exchange.offset, exchange.round_trip) == (10, 100)
    low, high = exchange.offsets
    assert low <= ahead <= high


def test_t40_a_fast_clock_makes_no_negative_delay() -> None:
    """100 ppm over 64 s is 6.4 ms (RFC 5905 8)."""
    exchange = Exchange(0, 0, 64_006.4, 64_000)
    assert exchange.round_trip == 0


def test_the_least_round_trip_of_a_session() -> None:
    rows = empty_rows(3)
    assert least_round_trip(rows) is None
    rows["sent_ns"], rows["received_ns"] = [0, 10, 20], [101, 95, 300]
    rows["node_received_ns"][:2], rows["node_sent_ns"][:2] = [60, 70], [61, 71]
    assert least_round_trip(rows) == 84
