"""The writer: sessions side by side, threads, when segments close, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.errors import StoreError
from probe.records import COMPLETED, INTERRUPTED
from probe.store.reader import load_run
from probe.store.runid import is_run_id, new_run_id, start_of
from probe.store.writer import RunWriter
from tests.store.samples import MS, RUN_ID, make_manifest, make_record, make_rows, parquet_files, query


def test_run_ids_sort_by_time() -> None:
    first = new_run_id(datetime(2026, 11, 22, 19, 30, tzinfo=UTC), Random(1))
    second = new_run_id(datetime(2026, 11, 22, 19, 30, 1, tzinfo=UTC), Random(1))
    assert first < second
    assert first.startswith("20261122T193000Z-")
    assert len(first) == len("20261122T193000Z-ab12cd")
    assert is_run_id(first)
    assert start_of(first) == datetime(2026, 11, 22, 19, 30, tzinfo=UTC)
    assert start_of("mine") is None
    with pytest.raises(ValueError, match="aware"):
        new_run_id(datetime(2026, 11, 22), Random(1))  # noqa: DTZ001


def test_segments_are_on_disk_before_the_session_ends(tmp_path: Path) -> None:
    with RunWriter(tmp_path, make_manifest()) as writer:
        assert json.loads((writer.folder / "manifest.json").read_text())["run_id"] == RUN_ID
        for batch in range(11):
            writer.add_rows(make_record(), make_rows(50, first=50 * batch))
        assert [query(f"SELECT count(*) FROM '{path}'") for path in parquet_files(tmp_path)] == [[(250,)]] * 2
        assert not (writer.folder / "sessions").exists()
        writer.finish_session(make_record())
    assert [path.name for path in parquet_files(tmp_path)] == [
        f"{RUN_ID}-s0000-{number:06d}.parquet" for number in range(3)
    ]
    document = json.loads((writer.folder / "sessions" / "0.json").read_text())
    assert (document["segments"], document["rows"], document["outcome"]) == (3, 550, COMPLETED)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 400)), max_size=12))
def test_sessions_side_by_side_do_not_mix(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[int, int]]
) -> None:
    root = tmp_path_factory.mktemp("results")
    given_rows = [0, 0, 0]
    records = [make_record(index, vendor=f"v{index % 2}", calls=2) for index in range(3)]
    with RunWriter(root, make_manifest()) as writer:
        for index, count in batches:
            writer.add_rows(records[index], make_rows(count, first=given_rows[index], streams=2))
            given_rows[index] += count
        for record in records:
            writer.finish_session(record)
    run = load_run(root, RUN_ID)
    assert run.problems == []
    assert [session.record for session in run.sessions] == records
    for session, count in zip(run.sessions, given_rows, strict=True):
        assert np.array_equal(session.rows, make_rows(count, streams=2))
    histograms = f"{root}/hist/**/*.parquet"
    if sum(given_rows):
        assert query(f"SELECT sum(count) FROM '{histograms}'") == [(2 * sum(given_rows),)]


@pytest.mark.slow
async def test_threads_may_write_at_once(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, make_manifest())

    async def session(index: int) -> None:
        for batch in range(20):
            await asyncio.to_thread(writer.add_rows, make_record(index), make_rows(100, first=100 * batch))
        await asyncio.to_thread(writer.finish_session, make_record(index))

    await asyncio.gather(*(session(index) for index in range(6)))
    writer.close()
    run = load_run(tmp_path, RUN_ID)
    assert run.problems == []
    assert [len(session.rows) for session in run.sessions] == [2000] * 6


@pytest.mark.slow
def test_a_million_rows_at_once_are_cut(tmp_path: Path) -> None:
    with RunWriter(tmp_path, make_manifest()) as writer:
        writer.add_rows(make_record(), make_rows(1_000_000, interval_ns=1000))
        writer.finish_session(make_record())
    sizes = query(
        f"SELECT count(*) FROM '{tmp_path}/packets/**/*.parquet' GROUP BY filename ORDER BY filename"
    )
    assert sizes == [(65_536,)] * 15 + [(1_000_000 - 15 * 65_536,)]


@pytest.mark.slow
def test_a_session_over_midnight_lies_in_both_dates(tmp_path: Path) -> None:
    with RunWriter(tmp_path, make_manifest()) as writer:
        writer.add_rows(make_record(), make_rows(20, interval_ns=3600 * 1000 * MS))
        writer.finish_session(make_record())
    sql = f"SELECT date::VARCHAR, count(*) FROM '{tmp_path}/packets/**/*.parquet' GROUP BY 1 ORDER BY 1"
    assert query(sql) == [("2026-11-22", 12), ("2026-11-23", 8)]
    assert len(load_run(tmp_path, RUN_ID).sessions[0].rows) == 20


def test_closing_keeps_what_was_not_finished(tmp_path: Path) -> None:
    def interrupted() -> None:
        with RunWriter(tmp_path, make_manifest()) as writer:
            writer.add_rows(make_record(), make_rows(30))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (session,) = load_run(tmp_path, RUN_ID).sessions
    assert (len(session.rows), session.record.outcome, session.complete) == (30, INTERRUPTED, False)


def test_a_run_is_written_once(tmp_path: Path) -> None:
    RunWriter(tmp_path, make_manifest()).close()
    with pytest.raises(StoreError, match="there is a run of this name already"):
        RunWriter(tmp_path, make_manifest())
    with pytest.raises(ValueError, match="cannot name a run"):
        RunWriter(tmp_path, make_manifest("../x"))


def test_a_session_is_finished_once_and_in_its_own_run(tmp_path: Path) -> None:
    with RunWriter(tmp_path, make_manifest()) as writer:
        writer.finish_session(make_record())
        with pytest.raises(ValueError, match="is finished"):
            writer.add_rows(make_record(), make_rows(1))
        with pytest.raises(ValueError, match="belongs to run"):
            writer.add_rows(make_record(1, run_id="other"), make_rows(1))


def test_documents_lie_beside_the_manifest(tmp_path: Path) -> None:
    with RunWriter(tmp_path, make_manifest()) as writer:
        path = writer.write_document("verdict.json", {"verdict": "pass", "value": np.float64(1.5)})
        assert json.loads(path.read_text()) == {"schema_version": 1, "verdict": "pass", "value": 1.5}
        with pytest.raises(ValueError, match="JSON"):
            writer.write_document("summary.json", {"value": float("nan")})
        for name in ("../x.json", "manifest.json", "a/b"):
            with pytest.raises(ValueError, match="not a document"):
                writer.write_document(name, {})


def test_duckdb_is_imported_when_it_is_used() -> None:
    code = (
        "import sys, probe.store.writer, probe.store.reader, probe.store.runid, probe.store.atomic;"
        "assert 'duckdb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
