"""Histograms: the bucket rule, addition, and percentiles against exact ones."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.metrics import NEVER, Unsent
from probe.store import histograms
from probe.store.histograms import COUNTS, INFINITE, add_up, bucket_of, count_delays, write_histogram
from probe.store.parquet import connect
from tests.store.samples import MS, make_record, make_rows, query


@given(st.integers(1, 2_000_000_000))
def test_a_bucket_is_one_per_cent_wide_and_holds_its_delay(rtt_ns: int) -> None:
    bucket = int(bucket_of(np.array([rtt_ns]))[0])
    assert bucket == math.floor(math.log(rtt_ns / 1000) / math.log(1.01))
    assert 1.01**bucket <= rtt_ns / 1000 * (1 + 1e-9)
    assert rtt_ns / 1000 < 1.01 ** (bucket + 1) * (1 + 1e-9)


def test_delays_below_a_nanosecond_count_as_one() -> None:
    assert len(set(bucket_of(np.array([-5, 0, 1])))) == 1


def test_lost_is_infinite_and_unsent_is_nowhere() -> None:
    rows = make_rows(100)  # every tenth lost
    rows["received_ns"][0] = rows["sent_ns"][0] + 2_000_000_001  # past T_max
    rows["received_ns"][1] = rows["sent_ns"][1] + 2_000_000_000  # the last moment
    rows["unsent"][2:5] = Unsent.HOST_LATE
    rows["sent_ns"][2:5] = NEVER
    counts = count_delays(make_record(), rows)
    assert counts["count"].sum() == 97
    assert counts["count"][counts["bucket"] == INFINITE].sum() == 11


def test_the_hour_is_the_nodes_own() -> None:
    rows = make_rows(10, interval_ns=1800 * 1000 * MS)  # 19:00 .. 23:30 in Jakarta
    counts = count_delays(make_record(), rows)
    hours = {hour: counts["count"][counts["local_hour"] == hour].sum() for hour in counts["local_hour"]}
    assert hours == {19: 2, 20: 2, 21: 2, 22: 2, 23: 2}


def test_a_one_way_session_has_no_round_trip() -> None:
    assert len(count_delays(make_record(one_way=True), make_rows(10))) == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 500), max_size=4))
def test_parts_add_up_to_the_whole(cuts: list[int]) -> None:
    rows, record = make_rows(500), make_record()
    parts = [count_delays(record, part) for part in np.split(rows, sorted(cuts))]
    whole = count_delays(record, rows)
    assert np.array_equal(add_up(parts), whole)
    assert np.array_equal(add_up(reversed(parts)), whole)
    assert np.array_equal(add_up([add_up(parts[:2]), add_up(parts[2:])]), whole)


def test_nothing_adds_up_to_nothing() -> None:
    assert len(add_up([])) == 0
    assert add_up([]).dtype == COUNTS


def test_sql_reads_percentiles_within_half_a_per_cent(tmp_path: Path) -> None:
    rows = make_rows(5000, streams=2)
    with connect() as connection:
        for part, index in ((rows[:3000], 0), (rows[3000:], 1)):
            session = make_record(index)
            write_histogram(connection, tmp_path, session, date(2026, 11, 22), count_delays(session, part))
    sql = (
        "WITH merged AS (SELECT bucket, sum(count) AS n FROM read_parquet(?) WHERE country = 'ID' GROUP BY 1), "
        "running AS (SELECT bucket, sum(n) OVER (ORDER BY bucket) AS c, sum(n) OVER () AS total FROM merged) "
        "SELECT min(bucket) FROM running WHERE c >= ? * total"
    )
    sent = (rows["received_ns"] - rows["sent_ns"] - 30_000) / 1000
    exact = np.where(rows["received_ns"] == NEVER, np.inf, sent)
    for share in (0.01, 0.5, 0.75, 0.89):
        bucket = query(sql, f"{tmp_path}/hist/**/*.parquet", share)[0][0]
        percentile = float(np.quantile(exact, share, method="inverted_cdf"))
        assert abs(1.01 ** (bucket + 0.5) / percentile - 1) < 0.005001
    assert query(sql, f"{tmp_path}/hist/**/*.parquet", 0.95) == [(INFINITE,)]


@pytest.mark.parametrize(
    ("value", "index", "estimate"), [(76, 217, 75.9515), (100, 231, 100.4946), (400, 300, 399.4744)]
)
def test_t48_buckets_are_ddsketchs(
    value: int, index: int, estimate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """quality.md T48: gamma 1.0202 for 1 %. DDSketch numbers a bucket by its upper end, ours by its lower one."""
    gamma = 1.01 / 0.99
    monkeypatch.setattr(histograms, "WIDTH", gamma)
    (bucket,) = histograms.bucket_of(np.array([value * 1000]))
    assert bucket + 1 == index
    assert 2 * gamma ** (bucket + 1) / (gamma + 1) == pytest.approx(estimate, abs=1e-3)
