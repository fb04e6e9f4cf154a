"""Time to recover and catch-up, on the outage that quality.md T37 measured through aioquic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from probe.analysis.recovery_speed import Baseline, CatchUp, Recovery, baseline, recover
from probe.analysis.series import Series
from tests.analysis.made import MS, S, times
from tests.analysis.traces import trace

STARTED, ENDED = 1400 * MS, 1600 * MS
QUIET = [50.0] * 70  # to 1.40 s
ON_STREAM = [351.0 - 20 * i for i in range(10)] + [151.0, 131, 111, 91, 71, 51]


def measured(series: Series, **more: int) -> Recovery:
    usual = baseline(series, 200 * MS, STARTED)
    assert usual == Baseline(0, 0)
    return recover(series, STARTED, ENDED, deadline_ns=200 * MS, usual=usual, **more)


def test_t37_quic_stream() -> None:
    """All that waited comes at 1.751 s; the first packet on time again is that sent at 1.70 s."""
    found = measured(trace(QUIET + ON_STREAM + [50.0] * 300), path_delay_ns=50 * MS)
    assert found.time_to_recover_ns == 100 * MS
    assert found.catch_up == CatchUp(151 * MS, 0, 0)  # at the application nothing is seen before


def test_t37_quic_datagram() -> None:
    """Ten are missing, all later ones are on time: nothing to catch up with."""
    series = trace(QUIET + [None] * 10 + [50.0] * 300)
    assert measured(series) == Recovery(0, 6000 * MS, None)


def test_catching_up_is_detection_repair_and_drain() -> None:
    """The path is back 30 ms after the event; the last of the lost is asked for again by then and 150 ms later here;
    what had queued behind an old packet is there 40 ms after that."""
    delays: list[float | None] = [*QUIET, *[None] * 10, 80, 60, *[50.0] * 5, 50 + 80, *[50.0] * 300]
    repaired: list[float | None] = [None] * len(delays)
    repaired[79] = 1600 + 50 + 180
    found = measured(trace(delays, repaired_ns=times(repaired)))
    assert found.catch_up == CatchUp(30 * MS, 150 * MS, 40 * MS)
    assert found.catch_up.whole_ns == 220 * MS


def test_it_must_last() -> None:
    """RFC 6412: 5 s; a loss 3 s later is not yet recovered, and the end must be seen."""
    again = trace(QUIET + [None] * 10 + [50.0] * 150 + [None] + [50.0] * 300)
    assert measured(again).time_to_recover_ns == 151 * 20 * MS
    short = measured(trace(QUIET + [None] * 10 + [50.0] * 249))
    assert (short.time_to_recover_ns, short.observed_ns) == (math.inf, 4980 * MS)
    assert measured(trace(QUIET + [None] * 10 + [50.0] * 250)).time_to_recover_ns == 0


def test_usual_loss_is_no_sign_of_the_event() -> None:
    lossy = [None if i % 10 == 5 else 50.0 for i in range(400)]
    lossy[70:80] = [None] * 10
    series = trace(lossy)
    usual = baseline(series, 200 * MS, STARTED)
    assert usual is not None and usual.residual == pytest.approx(0.1)
    found = recover(series, STARTED, ENDED, deadline_ns=200 * MS, usual=usual)
    assert found.time_to_recover_ns == 0


def test_every_start_is_judged_by_the_rule() -> None:
    """The definition, a start at a time: residual 0 for 5 s, and p95 of no 200 ms above 20 ms."""
    random = np.random.default_rng(8)
    delays: list[float | None] = [50 + d for d in random.gamma(1, 2, 700)]
    for i in range(80, 300):
        if random.random() < 0.05:
            delays[i] = None if random.random() < 0.3 else 50 + 200 * random.random()
    series = trace(delays)
    usual = Baseline(0, 10 * MS)
    found = recover(series, STARTED, ENDED, deadline_ns=100 * MS, usual=usual)
    excess = series.excess()

    def good(start: int) -> bool:
        span = range(start, start + 250)
        calm = all(np.sort(excess[i : i + 10])[-1] <= 30 * MS for i in span)
        return calm and all(excess[i] <= 100 * MS for i in span)

    first = next(i for i in range(80, 451) if good(i))
    assert found.time_to_recover_ns == (first - 80) * 20 * MS


def test_no_baseline_before_the_first_packet() -> None:
    assert baseline(trace([50.0]), S, 0) is None
    lost = baseline(trace([None, None]), S, S)
    assert lost is not None and lost.residual == 1
    found = recover(trace([None, None]), 0, 0, deadline_ns=S, usual=lost)
    assert found == Recovery(math.inf, 40 * MS, None)
