"""Compaction: the same packets in fewer files, whoever looks, and whenever it is killed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from probe.errors import ConfigError
from probe.store.compact import compact_segments
from probe.store.lock import reading, tidying
from probe.store.parquet import connect
from probe.store.reader import find_sessions, list_runs, load_run
from probe.store.tidying import Tidied, tidy
from probe.store.writer import RunWriter
from tests.store.killing import NOW, run_child
from tests.store.samples import RUN_ID, make_manifest, make_record, make_rows, parquet_files, query
from tests.store.test_reader import write_run

RUNS = ("20261120T120000Z-aaaaaa", "20261121T120000Z-bbbbbb", RUN_ID)


def compact(root: Path) -> Tidied:
    return tidy(root, lambda _: None, NOW)


def check_whole(root: Path, runs: tuple[str, ...] = RUNS) -> None:
    """Every packet of every session, once."""
    assert [info.run_id for info in list_runs(root)] == list(runs)
    for run_id in runs:
        run = load_run(root, run_id)
        assert run.problems == []
        assert len(run.sessions) == 2
        for session in run.sessions:
            assert np.array_equal(session.rows, make_rows(600))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for run_id in RUNS:
        write_run(tmp_path, run_id)
    return tmp_path


def test_many_files_become_one_and_nothing_else_changes(store: Path) -> None:
    before = [load_run(store, run_id) for run_id in RUNS]
    total = query("SELECT count(*), sum(seq) FROM read_parquet(?)", f"{store}/packets/**/*.parquet")
    done = compact(store)
    assert (done.files_written, done.files_removed, done.problems) == (2, 18 + 6, ())
    assert len(parquet_files(store)) == 1
    check_whole(store)
    for old, new in zip(before, (load_run(store, run_id) for run_id in RUNS), strict=True):
        assert [session.record for session in old.sessions] == [session.record for session in new.sessions]
    assert query("SELECT count(*), sum(seq) FROM read_parquet(?)", f"{store}/packets/**/*.parquet") == total


def test_a_second_time_there_is_nothing_to_do(store: Path) -> None:
    compact(store)
    files = {path: path.stat().st_mtime_ns for path in store.rglob("*.parquet")}
    done = compact(store)
    assert (done.files_written, done.files_removed) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.parquet")} == files


@pytest.mark.slow
def test_what_comes_later_is_joined_to_it(store: Path) -> None:
    compact(store)
    write_run(store, "20261123T120000Z-cccccc")
    compact(store)
    assert len(parquet_files(store)) == 1
    check_whole(store, (*RUNS, "20261123T120000Z-cccccc"))


@pytest.mark.slow
def test_full_files_are_left_alone(store: Path) -> None:
    with connect() as connection:
        first = compact_segments(connection, store, pack_rows=1200)
        assert (first.written, len(parquet_files(store))) == (3, 3)
        again = compact_segments(connection, store, pack_rows=1200)
    assert (again.written, again.removed) == (0, 0)
    check_whole(store)


@pytest.mark.slow
def test_a_run_that_is_still_written_goes_on(tmp_path: Path) -> None:
    record = make_record()
    with RunWriter(tmp_path, make_manifest()) as writer:
        writer.add_rows(record, make_rows(600))
        compact(tmp_path)
        writer.add_rows(record, make_rows(600, first=600))
        compact(tmp_path)
        writer.finish_session(record)
        compact(tmp_path)
    run = load_run(tmp_path, RUN_ID)
    assert run.problems == []
    assert np.array_equal(run.sessions[0].rows, make_rows(1200))


def test_sessions_are_found_in_compacted_files(store: Path) -> None:
    compact(store)
    found = find_sessions(
        store, country="ID", vendor="alpha", node="jkt-1", before="2026-11-22T00:00:00+00:00", limit=3
    )
    assert [session.record.run_id for session in found] == [RUNS[1], RUNS[1], RUNS[0]]
    assert all(len(session.rows) == 600 for session in found)


def test_a_damaged_segment_stays_and_is_told(store: Path) -> None:
    torn = parquet_files(store)[4]
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    done = compact(store)
    assert str(torn) in " ".join(done.problems)
    assert torn.exists()
    assert len(parquet_files(store)) == 2
    assert sum(len(s.rows) for run in RUNS for s in load_run(store, run).sessions) == 3600 - 250


@pytest.mark.slow
def test_a_damaged_compacted_file_is_told(store: Path) -> None:
    compact(store)
    pack = parquet_files(store)[0]
    data = bytearray(pack.read_bytes())
    data[2000] ^= 0xFF
    pack.write_bytes(data)
    assert "damaged" in " ".join(load_run(store, RUN_ID).problems + load_run(store, RUNS[0]).problems) or (
        "torn" in " ".join(load_run(store, RUNS[0]).problems)
    )
    pack.write_bytes(data[:1000])
    run = load_run(store, RUN_ID)
    assert "is torn or no compacted file" in run.problems[0]
    assert "3 of its segments are missing" in " ".join(run.problems)


@pytest.mark.slow
def test_no_file_goes_while_somebody_reads(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.store.lock.PATIENCE_S", 0.0)
    with reading(store):
        done = compact(store)
        assert done.waiting == 18
        assert len(parquet_files(store)) == 19
        check_whole(store)
    done = compact(store)
    assert (done.waiting, len(parquet_files(store))) == (0, 1)
    check_whole(store)


def test_two_compactions_at_once_are_refused(store: Path) -> None:
    with tidying(store), pytest.raises(ConfigError, match="another process is compacting"):
        compact(store)


@pytest.mark.slow
def test_killed_before_any_change_of_the_disk(store: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Kill after kill on one store: at each, every packet is there once; in the end it is compact."""
    kills = 0
    for at in (1, 2, 3, 4, 5, 6, 7, 9, 12, 20, 2, 3, 4):
        whole = run_child("compact", store, at)
        kills += not whole
        check_whole(store)
    assert kills >= 8
    assert run_child("compact", store)
    assert len(parquet_files(store)) == 1
    check_whole(store)


WRITE_AND_COMPACT = """
import sys
from pathlib import Path
from tests.store.test_compact import compact
from tests.store.test_reader import measure_run
for number in range(8):
    measure_run(Path(sys.argv[1]), f"20261201T12{number:02}00Z-dddddd")
    compact(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_readers_miss_nothing_while_it_is_at_work(store: Path) -> None:
    """A run is written and compacted again and again; another process reads all the time."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_COMPACT, str(store)],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        rounds = 0
        while child.poll() is None:
            for run_id in RUNS:
                run = load_run(store, run_id)
                assert run.problems == []
                assert [len(session.rows) for session in run.sessions] == [600, 600]
            rounds += 1
        assert child.stderr is not None
        assert child.returncode == 0, child.stderr.read()
    assert rounds > 3
    assert len(list_runs(store)) == 11


@pytest.mark.slow
def test_a_store_without_documents_can_be_compacted(store: Path) -> None:
    shutil.rmtree(store / "runs")
    compact(store)
    assert [info.run_id for info in list_runs(store)] == list(RUNS)
    assert len(load_run(store, RUN_ID).sessions[0].rows) == 600


def test_nothing_to_compact_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there are no results in"):
        compact(tmp_path)
