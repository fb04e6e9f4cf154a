"""Percentiles by hour: from packets as numpy counts them, from histograms in any order the same."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from probe.metrics import NEVER, T_MAX_NS, Rows
from probe.store import hours
from probe.store.hist_files import Histograms
from probe.store.histograms import COUNTS, add_up, count_delays
from probe.store.hours import Hour, hours_from_histograms, hours_from_packets
from probe.store.parquet import Connection, connect
from probe.store.session_delays import session_delays
from probe.store.tidying import tidy
from probe.store.writer import RunWriter
from tests.store.killing import NOW
from tests.store.samples import MS, RUN_ID, make_manifest, make_record, make_rows, parquet_files, query
from tests.store.test_reader import write_run


def some_rows(seed: int, count: int = 2000) -> Rows:
    rng = np.random.default_rng(seed)
    rows = make_rows(count)
    jump = np.arange(count) * 4 // count * (3600 * 1000 * MS)  # four hours, a few seconds of each
    for name in ("scheduled_ns", "sent_ns", "node_received_ns", "node_sent_ns"):
        rows[name] += jump
    rows["received_ns"] = rows["sent_ns"] + 30_000 + (rng.lognormal(4, 0.5, count) * MS).astype(np.int64)
    rows["received_ns"][rng.random(count) < 0.004] = NEVER
    return rows


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with RunWriter(tmp_path, make_manifest()) as writer:
        for index, vendor in enumerate(("alpha", "beta", "alpha")):
            record = make_record(index, vendor=vendor, emulated=vendor == "beta")
            writer.add_rows(record, some_rows(index))
            writer.finish_session(record)
        one_way = make_record(3, one_way=True)
        rows = some_rows(3, 100)
        for name in ("received_ns", "node_sent_ns"):
            rows[name] = NEVER
        writer.add_rows(one_way, rows)
        writer.finish_session(one_way)
    return tmp_path


def by_numpy(*seeds: int) -> dict[int, tuple[int, int, list[float]]]:
    rows = np.concatenate([some_rows(seed) for seed in seeds])
    trip = rows["received_ns"] - rows["sent_ns"]
    lost = (rows["received_ns"] == NEVER) | (trip > T_MAX_NS)
    rtt = np.where(lost, np.inf, np.maximum(trip - 30_000, 1) / 1e6)
    hour = (12 + 7 + (rows["scheduled_ns"] - some_rows(0)["scheduled_ns"][0]) // (3600 * 1000 * MS)) % 24
    found = {}
    for number in sorted(set(hour.tolist())):
        here = hour == number
        q = [float(np.quantile(rtt[here], p, method="inverted_cdf")) for p in (0.5, 0.95, 0.99)]
        found[number] = (int(here.sum()), int(lost[here].sum()), q)
    return found


def check_exact(rows: list[Hour]) -> None:
    for vendor, seeds in (("alpha", (0, 2)), ("beta", (1,))):
        mine = {row.local_hour: row for row in rows if row.vendor == vendor}
        expected = by_numpy(*seeds)
        assert mine.keys() == expected.keys()
        for hour, (n, lost, q) in expected.items():
            row = mine[hour]
            assert (row.n, row.lost, row.emulated) == (n, lost, vendor == "beta")
            assert [row.p50_ms, row.p95_ms, row.p99_ms] == [None if np.isinf(v) else v for v in q]


def test_from_packets_as_numpy_does(store: Path) -> None:
    rows, problems = hours_from_packets(store)
    assert problems == []
    check_exact(rows)
    tidy(store, lambda _: None, NOW)
    check_exact(hours_from_packets(store)[0])


@pytest.mark.slow
def test_from_histograms_within_half_a_per_cent(store: Path) -> None:
    for _ in range(2):
        rough, exact = hours_from_histograms(store)[0], hours_from_packets(store)[0]
        for mine, other in zip(rough, exact, strict=True):
            assert (mine.vendor, mine.local_hour, mine.n) == (other.vendor, other.local_hour, other.n)
            for name in ("p50_ms", "p95_ms", "p99_ms"):
                a, b = getattr(mine, name), getattr(other, name)
                assert (a is None) == (b is None)
                assert a is None or abs(a / b - 1) < 0.0051
        tidy(store, lambda _: None, NOW)


def test_merged_in_any_order_the_same_bits() -> None:
    parts = [count_delays(make_record(seed), some_rows(seed, 400)) for seed in range(40)]
    hashes = set()
    for seed in range(20):
        random.Random(seed).shuffle(parts)
        at = random.Random(seed).randrange(40)
        total = add_up([add_up(parts[:at]), add_up(parts[at:])])
        assert total.dtype == COUNTS
        hashes.add(hashlib.sha256(np.ascontiguousarray(total).view(np.uint8).data).hexdigest())
    assert len(hashes) == 1


@pytest.mark.slow
def test_compacting_in_any_order_gives_the_same_counts(store: Path) -> None:
    def digest() -> str:
        sql = (
            "SELECT local_date, local_hour, bucket, sum(count) FROM read_parquet(?) GROUP BY ALL ORDER BY ALL"
        )
        return hashlib.sha256(repr(query(sql, f"{store}/hist/**/*.parquet")).encode()).hexdigest()

    before = digest()
    tidy(store, lambda _: None, NOW)
    assert digest() == before


def test_an_empty_store_has_no_hours(tmp_path: Path) -> None:
    assert hours_from_histograms(tmp_path) == ([], [])
    assert hours_from_packets(tmp_path) == ([], [])


def tear(path: Path) -> None:
    """All rows; its end, which says what is in it, stays whole."""
    whole = path.read_bytes()
    rows = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(whole[:4] + bytes(rows - 4) + whole[rows:])


def test_files_that_cannot_be_read_are_told_and_the_others_counted(tmp_path: Path) -> None:
    write_run(tmp_path)
    assert [hour.n for hour in hours_from_packets(tmp_path)[0]] == [1200]
    first, second, third, *_ = parquet_files(tmp_path)
    first.write_bytes(first.read_bytes()[:300])
    tear(second)
    third.with_name(f"{RUN_ID}-s0001-000077.parquet").write_bytes(third.read_bytes())  # counted already
    with connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS a) TO '{third}' (FORMAT parquet)")
    left = 1200 - 250 - 250 - 100
    hours, problems = hours_from_packets(tmp_path)
    assert [hour.n for hour in hours] == [left]
    assert [str(path) in text for path, text in zip((first, third), problems, strict=False)] == [True, True]
    assert len(problems) == 4


def test_a_torn_histogram_is_told_and_the_others_counted(tmp_path: Path) -> None:
    write_run(tmp_path)
    first, _ = sorted((tmp_path / "hist").rglob("*.parquet"))
    tear(first)
    hours, problems = hours_from_histograms(tmp_path)
    assert [hour.n for hour in hours] == [600]
    assert len(problems) == 1
    assert f"{first} is torn" in problems[0]
    delays, problems = session_delays(tmp_path)
    assert [delay.n for delay in delays] == [600]
    assert len(problems) == 1


def test_too_little_memory_is_no_torn_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path)
    first, _ = sorted((tmp_path / "hist").rglob("*.parquet"))
    tear(first)
    read = hours._percentiles

    def short_of_memory(connection: Connection, found: Histograms, by: Sequence[str]) -> list[Any]:
        if first not in found.paths:
            raise duckdb.OutOfMemoryException
        return read(connection, found, by)

    monkeypatch.setattr(hours, "_percentiles", short_of_memory)
    with pytest.raises(duckdb.OutOfMemoryException):
        hours_from_histograms(tmp_path)
