"""Segments against plain SQL, the calendar, and every kind of damage."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from probe.metrics import NEVER, SAMPLE, TIME_FIELDS, Rows
from probe.records import SessionRecord
from probe.store.layout import SegmentFile, partition_value
from probe.store.parquet import connect
from probe.store.segments import read_segments, write_segment
from tests.store.samples import MONOTONIC_START, RUN_ID, make_record, make_rows, query


def store(root: Path, rows: Rows, record: SessionRecord | None = None, number: int = 0) -> SegmentFile:
    record = record or make_record()
    with connect() as connection:
        path = write_segment(connection, root, record, rows, number)
    return SegmentFile(record.run_id, record.index, number, path)


def read(*files: SegmentFile) -> tuple[list[Rows], list[str]]:
    with connect() as connection:
        segments, problems = read_segments(connection, files)
    return [segment.rows for segment in segments], problems


@st.composite
def any_rows(draw: st.DrawFn) -> Rows:
    rows: Rows = draw(hnp.arrays(SAMPLE, st.integers(1, 12)))
    for name in TIME_FIELDS:
        rows[name][draw(hnp.arrays(bool, len(rows)))] = NEVER
    return rows


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(any_rows())
def test_any_rows_come_back_as_they_were(rows: Rows) -> None:
    with TemporaryDirectory() as folder:
        back, problems = read(store(Path(folder), rows))
        assert problems == []
        assert np.array_equal(back[0], rows)
        nulls = query(
            f"SELECT {', '.join(f'count(*) - count({name})' for name in TIME_FIELDS)} "
            f"FROM '{folder}/packets/**/*.parquet'"
        )
        assert list(nulls[0]) == [np.count_nonzero(rows[name] == NEVER) for name in TIME_FIELDS]


def test_a_foreign_reader_needs_nothing_but_the_file(tmp_path: Path) -> None:
    rows = make_rows(250)
    file = store(tmp_path, rows)
    assert file.path.parent == tmp_path / "packets/country=ID/vendor=alpha/date=2026-11-22"
    found = query(
        'SELECT run_id, session, vendor, node, scenario, network, "window", transport, emulated, local_date::VARCHAR, '
        "local_hour, utc_offset_s, count(*), count(received_ns), "
        "max(received_ns - sent_ns - (node_sent_ns - node_received_ns)), "
        "min(epoch_us(make_timestamp_ns(scheduled_ns + wall_offset_ns))) "
        "FROM read_parquet(?, hive_partitioning = false) GROUP BY ALL",
        str(file.path),
    )
    back = rows[rows["received_ns"] != NEVER]
    longest = int((back["received_ns"] - back["sent_ns"] - 30_000).max())
    labels = (RUN_ID, 0, "alpha", "jkt-1", "voice", "clean", "peak", "udp", False, "2026-11-22", 19, 25_200)
    assert found == [(*labels, 250, 225, longest, 1_795_348_800_000_000)]
    metadata = dict(query("SELECT key, value FROM parquet_kv_metadata(?)", str(file.path)))
    assert json.loads(metadata[b"record"]) == make_record().to_json()
    assert (metadata[b"schema_version"], metadata[b"run_id"], metadata[b"session"]) == (
        b"1",
        RUN_ID.encode(),
        b"0",
    )


@pytest.mark.parametrize(
    "name",
    [
        "o'hara",
        "a/b",
        "泰国 vendor",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("..", "a=b%2Fc", "[x]*?", "x" * 300, "\n")),
    ],
)
def test_any_vendor_name_makes_one_folder_and_comes_back(tmp_path: Path, name: str) -> None:
    root = tmp_path / "with [1] and * in it"
    file = store(root, make_rows(10), make_record(vendor=name, node=name))
    assert len(file.path.relative_to(root).parts) == 5
    back, problems = read(file)
    assert problems == []
    assert len(back[0]) == 10
    with duckdb.connect() as connection:
        sql = "SELECT DISTINCT vendor, node FROM read_parquet(?, hive_partitioning = false)"
        assert connection.execute(sql, [str(file.path)]).fetchall() == [(name, name)]


def test_vendors_that_look_alike_do_not_share_a_folder() -> None:
    names = ["a/b", "a_b", "a%2Fb", "a b", "x" * 300, "x" * 301, "é" * 80, "é" * 81]
    assert len({partition_value(name) for name in names}) == len(names)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["Asia/Jakarta", "America/St_Johns", "Europe/Berlin", "Australia/Lord_Howe", "UTC"]),
    st.lists(st.integers(0, 400 * 86_400), min_size=1, max_size=30),
)
def test_local_columns_are_the_calendar_of_the_zone(zone: str, seconds: list[int]) -> None:
    rows = make_rows(len(seconds))
    rows["scheduled_ns"] = MONOTONIC_START + np.array(seconds) * 1_000_000_000 + 999_999_999
    record = make_record(timezone=zone)
    with TemporaryDirectory() as folder:
        path = store(Path(folder), rows, record).path
        found = query(f"SELECT local_date, local_hour, utc_offset_s FROM '{path}'")
    for second, row in zip(seconds, found, strict=True):
        unix = (MONOTONIC_START + record.wall_offset_ns) // 1_000_000_000 + second
        local = datetime.fromtimestamp(unix, ZoneInfo(zone))
        offset = local.utcoffset()
        assert offset is not None
        assert row == (local.date(), local.hour, offset.total_seconds())


def test_a_torn_file_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    files = [store(tmp_path, make_rows(50, first=50 * number), number=number) for number in range(3)]
    whole = files[1].path.read_bytes()
    for size in (0, 3, 10, len(whole) // 2, len(whole) - 1):
        files[1].path.write_bytes(whole[:size])
        back, problems = read(*files)
        assert [len(rows) for rows in back] == [50, 50]
        assert len(problems) == 1
        assert str(files[1].path) in problems[0]
        assert "\n" not in problems[0]


@pytest.mark.slow
def test_a_flipped_byte_never_gives_other_packets(tmp_path: Path) -> None:
    rows = make_rows(200)
    file = store(tmp_path, rows)
    whole = file.path.read_bytes()
    told = 0
    for position in range(4, len(whole), 97):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        file.path.write_bytes(damaged)
        back, problems = read(file)
        told += len(problems)
        assert problems or np.array_equal(back[0], rows)
    assert told


def test_files_that_are_not_ours_are_told_apart(tmp_path: Path) -> None:
    good = store(tmp_path, make_rows(50))
    folder = good.path.parent
    foreign = folder / f"{RUN_ID}-s0000-000001.parquet"
    query(f"COPY (SELECT 1 AS a) TO '{foreign}' (FORMAT parquet)")
    newer = folder / f"{RUN_ID}-s0000-000002.parquet"
    pairs = "schema_version: '9', run_id: 'x', session: '0', segment: '2', rows: '1', record: '{}'"
    query(f"COPY (SELECT 1 AS a) TO '{newer}' (FORMAT parquet, KV_METADATA {{{pairs}}})")
    renamed = folder / f"{RUN_ID}-s0000-000003.parquet"
    renamed.write_bytes(good.path.read_bytes())
    files = [SegmentFile(RUN_ID, 0, n + 1, path) for n, path in enumerate([foreign, newer, renamed])]
    back, problems = read(good, *files)
    assert len(back) == 1
    assert [str(path) in text for path, text in zip([foreign, newer, renamed], problems, strict=True)]
    assert [word in text for word, text in zip(["foreign", "newer probe", "renamed"], problems, strict=True)]


def test_rows_of_a_version_with_other_fields_are_read(tmp_path: Path) -> None:
    fields = [(name, SAMPLE[name]) for name in SAMPLE.names or () if name not in ("down_seq", "sent_ns")]
    other = np.dtype([*fields, ("colour", np.dtype("u2"))])
    old = np.zeros(30, other)
    old["seq"] = np.arange(30)
    old["scheduled_ns"] = MONOTONIC_START
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("probe.store.segments.SAMPLE", other)
        patch.setattr("probe.store.segments.TIME_FIELDS", ("scheduled_ns",))
        file = store(tmp_path, old)
    back, problems = read(file)
    assert problems == []
    assert back[0].dtype == SAMPLE
    assert list(back[0]["seq"]) == list(range(30))
    assert set(back[0]["down_seq"]) == {-1}
    assert set(back[0]["sent_ns"]) == {NEVER}
