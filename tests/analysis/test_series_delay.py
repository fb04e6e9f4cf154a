"""Delay variation of a series against the examples of RFC 5481, percentiles against RFC 7679 and 2330."""

from __future__ import annotations

import math

import numpy as np
import pytest

from probe.analysis.series_delay import (
    delay,
    delay_and_pdv,
    delay_population,
    ipdv_population,
    ipdv_series,
    pdv_population,
    received_population,
)
from probe.metrics import NEVER, Times
from tests.analysis.made import MS
from tests.analysis.traces import trace

U = None
L = None


def in_ms(values: Times) -> list[float | None]:
    return [None if value == NEVER else value / MS for value in values.tolist()]


@pytest.mark.parametrize(
    ("delays", "expected_ipdv", "expected_pdv"),
    [
        pytest.param([20, 10, 20, 25, 20], [U, -10, 10, 5, -5], [10, 0, 10, 15, 10], id="T08"),
        # RFC 5481 prints -10 at the sixth packet, where 100 - 120 = -20 (trap 2).
        pytest.param(
            [100, 110, 150, L, 120, 100, 110, 150, 130, 120, 100],
            [U, 10, 40, U, U, -20, 10, 40, -20, -10, -20],
            [0, 10, 50, U, 20, 0, 10, 50, 30, 20, 0],
            id="T09 figure 2B",
        ),
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
    series = trace(delays, interval_ms=1000)
    assert in_ms(ipdv_series(series)) == expected_ipdv
    assert in_ms(delay(series)) == delays
    assert pdv_population(series).finite.tolist() == sorted(v for v in expected_pdv if v is not None)
    assert pdv_population(series).infinite == delays.count(None)
    both = [population(series).distribution() for population in (delay_population, pdv_population)]
    assert list(delay_and_pdv(series)[:2]) == both
    assert ipdv_population(series).n == len(delays) - expected_ipdv.count(U)


def test_t11_a_lost_packets_delay_is_infinite() -> None:
    """RFC 7679 5.1 and 5.2; trap 10: of the received alone the path looks faster."""
    assert delay_population(trace([100, 110, None, 90, 500], interval_ms=1000)).value("p50") == 110
    series = trace([100, 110, None, 90], interval_ms=1000)
    found = delay_population(series)
    assert (found.value("p95"), found.value("min"), found.n) == (math.inf, 90, 4)
    assert found.distribution().infinite == ("p90", "p95", "p99", "p99_9")
    assert received_population(series).value("p95") == 110
    assert np.count_nonzero(found.finite <= 103) / found.n == 0.5


@pytest.mark.parametrize(("lost", "p95"), [(5, 40), (6, math.inf)])
def test_p95_survives_exactly_5_per_cent_of_loss(lost: int, p95: float) -> None:
    delays: list[float | None] = [40] * 100
    delays[:lost] = [None] * lost
    assert delay_population(trace(delays)).value("p95") == p95
