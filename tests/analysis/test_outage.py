"""Outages by loss and by time stamps (RFC 6201, RFC 6412)."""

from __future__ import annotations

import pytest

from probe.analysis.outage import outages
from tests.analysis.made import MS, S
from tests.analysis.traces import trace


def test_t38_both_lengths() -> None:
    """150 packets lost at 50 packets/s: 3.000 s by loss, 3.020 s by time stamps, an interval more."""
    series = trace([50.0] * 100 + [None] * 150 + [50.0] * 100)
    (found,) = outages(series, S)
    assert (found.by_loss_ns, found.by_time_ns) == (3000 * MS, 3020 * MS)
    assert (found.first, found.last) == (100, 249)
    assert (found.started_ns, found.ended_ns) == (2000 * MS, 5000 * MS)


def test_only_those_long_enough() -> None:
    series = trace([50, None, None, 50, None, 50, None, None, None, 50])
    assert [o.last - o.first + 1 for o in outages(series, 40 * MS)] == [2, 3]
    assert outages(trace([50, 50]), 0) == []


@pytest.mark.parametrize(("delays", "ended_ms"), [([None, None, 50], 40), ([50, None, None], 60)])
def test_at_an_end_there_is_only_the_loss(delays: list[float | None], ended_ms: int) -> None:
    (found,) = outages(trace(delays), 40 * MS)
    assert (found.by_loss_ns, found.by_time_ns, found.ended_ns) == (40 * MS, None, ended_ms * MS)
