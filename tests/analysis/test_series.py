"""The common form of all traces: what is lost, what is late, and from when on to look."""

from __future__ import annotations

import numpy as np
import pytest

from probe.analysis.series import BEYOND, make_series, without_skew
from probe.metrics import NEVER
from tests.analysis.made import MS, S, times
from tests.analysis.traces import trace

AHEAD = 3_600 * S


def test_delays_are_counted_from_the_smallest() -> None:
    series = trace([50, None, 42, 300])
    assert series.lost.tolist() == [False, True, False, False]
    assert series.excess().tolist() == [8 * MS, BEYOND, 0, 258 * MS]
    assert series.bad(8 * MS).tolist() == [False, True, False, True]
    assert series.order.tolist() == [0, 2, 3]
    assert (series.interval_ns, series.unit_ns, series.end_ns) == (20 * MS, 20 * MS, 80 * MS)


def test_a_clock_offset_changes_nothing() -> None:
    near = trace([50, None, 42, 300])
    far = make_series(
        near.seq, near.sent_ns, np.where(near.lost, NEVER, near.received_ns - AHEAD), interval_ns=20 * MS
    )
    assert far.excess().tolist() == near.excess().tolist()


def test_a_repair_counts_from_the_originals_departure() -> None:
    series = trace([50, None, 250, None], repaired_ns=times([None, 20 + 170, 40 + 120, None]))
    assert series.playable_after().tolist() == [0, 120 * MS, 70 * MS, BEYOND]
    assert series.bad(100 * MS).tolist() == [False, True, False, True]


def test_nothing_that_arrived() -> None:
    series = trace([None, None])
    assert (series.least_ns, series.excess().tolist(), len(series.order)) == (None, [BEYOND] * 2, 0)
    assert without_skew(series) is series
    with pytest.raises(ValueError, match="at least one packet"):
        trace([])


def test_rows_keep_what_delays_are_counted_from() -> None:
    series = trace([40, 90, 60, None, 55, 50], size=np.arange(6), repaired_ns=times([None] * 6))
    cut = series.rows(1, 5)
    assert cut.seq.tolist() == [1, 2, 3, 4]
    assert cut.excess().tolist() == [50 * MS, 20 * MS, BEYOND, 15 * MS]
    assert cut.order.tolist() == [1, 0, 3]
    assert cut.size is not None and cut.size.tolist() == [1, 2, 3, 4]


def test_the_end_is_left_out_while_repairs_may_come() -> None:
    series = trace([40] * 200)  # 4 s
    assert len(series.settled().seq) == 100
    assert series.settled(warm_up_ns=S).seq[[0, -1]].tolist() == [50, 99]
    assert len(trace([40] * 50).settled().seq) == 0


def test_the_packet_time_is_found_from_the_pace() -> None:
    seq, sent = np.array([4, 5, 8]), times([0, 30, 120])
    series = make_series(seq, sent, sent)
    assert (series.interval_ns, series.unit_ns) == (30 * MS, 30 * MS)
    frames = make_series(np.arange(6), times([0, 1, 33, 34, 66, 67]), times([9] * 6), unit=np.arange(6) // 2)
    assert frames.unit_ns == 33 * MS


def test_times_of_sending_for_windows_never_go_back() -> None:
    series = make_series(np.arange(4), times([0, 66, 33, 99]), times([9] * 4))
    assert series.departed().tolist() == times([0, 66, 66, 99]).tolist()


@pytest.mark.parametrize(("ppm", "corrected"), [(80.0, True), (-80.0, True), (2000.0, False)])
def test_a_clocks_skew_is_removed_and_a_paths_trend_is_not(ppm: float, corrected: bool) -> None:
    n = 5000
    queue = np.random.default_rng(5).gamma(2, 4, n)
    series = trace([40 + ppm * 20e-6 * i + q for i, q in enumerate(queue)])
    assert np.ptp(np.median(series.excess().reshape(5, -1), axis=1)) > 5 * MS
    after = without_skew(series)
    spread = np.ptp(np.median(after.excess().reshape(5, -1), axis=1))
    assert (spread < MS) == corrected
    assert int(after.excess().min()) == 0


def test_repairs_are_brought_to_the_same_rate() -> None:
    n = 1000
    delays: list[float | None] = [40 + 0.002 * i for i in range(n)]
    delays[900] = None
    repaired: list[float | None] = [None] * n
    repaired[900] = 900 * 20 + 40 + 0.002 * 900 + 100
    after = without_skew(trace(delays, repaired_ns=times(repaired)))
    assert int(after.playable_after()[900]) == pytest.approx(100 * MS, abs=10)
