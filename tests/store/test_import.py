"""Import: another machine's results, again and again, killed in between, damaged, newer, or of the same name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from probe.errors import ConfigError
from probe.store.copying import import_results
from probe.store.hours import hours_from_histograms, hours_from_packets
from probe.store.reader import list_runs, load_run
from probe.store.tidying import tidy
from probe.store.writer import RunWriter
from tests.store.killing import NOW, run_child
from tests.store.samples import RUN_ID, make_manifest, make_record, make_rows, parquet_files
from tests.store.test_reader import write_run

THEIRS = "20261121T120000Z-bbbbbb"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    write_run(folder, THEIRS, vantage="sby-xl")
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    write_run(folder, vantage="jkt-telkomsel")
    return folder


def check_both(mine: Path) -> None:
    assert [info.run_id for info in list_runs(mine)] == [THEIRS, RUN_ID]
    for run_id, vantage in ((THEIRS, "sby-xl"), (RUN_ID, "jkt-telkomsel")):
        run = load_run(mine, run_id)
        assert run.problems == []
        assert [session.record.vantage for session in run.sessions] == [vantage] * 2
        assert all(np.array_equal(session.rows, make_rows(600)) for session in run.sessions)
    assert [hour.n for hour in hours_from_packets(mine)[0]] == [2400]
    assert [hour.n for hour in hours_from_histograms(mine)[0]] == [2400]


@pytest.mark.slow
def test_again_and_again_nothing_is_doubled(mine: Path, theirs: Path) -> None:
    done = import_results(mine, theirs)
    assert (done.runs, done.segments, done.histograms, done.problems) == ([THEIRS], 6, 2, [])
    check_both(mine)
    for _ in range(2):
        again = import_results(mine, theirs)
        assert (again.runs, again.segments, again.histograms, again.documents) == ([], 0, 0, 0)
        assert again.known > 0
    check_both(mine)


@pytest.mark.slow
def test_compacted_or_not_on_either_side(mine: Path, theirs: Path) -> None:
    import_results(mine, theirs)
    for compacted in (theirs, mine, theirs):
        tidy(compacted, lambda _: None, NOW)
        done = import_results(mine, theirs)
        assert (done.segments, done.problems) == (0, [])
        check_both(mine)


@pytest.mark.slow
def test_a_run_that_was_still_going_is_completed(tmp_path: Path, mine: Path) -> None:
    folder = tmp_path / "going"
    record = make_record(run_id=THEIRS, vantage="sby-xl")
    with RunWriter(folder, make_manifest(THEIRS)) as writer:
        writer.add_rows(record, make_rows(600))
        import_results(mine, folder)
        tidy(mine, lambda _: None, NOW)
        writer.add_rows(record, make_rows(600, first=600))
        writer.finish_session(record)
    tidy(folder, lambda _: None, NOW)
    done = import_results(mine, folder)
    assert done.problems == []
    run = load_run(mine, THEIRS)
    assert run.problems == []
    assert np.array_equal(run.sessions[0].rows, make_rows(1200))
    tidy(mine, lambda _: None, NOW)
    assert np.array_equal(load_run(mine, THEIRS).sessions[0].rows, make_rows(1200))
    assert [hour.n for hour in hours_from_packets(mine)[0]] == [2400]
    assert [hour.n for hour in hours_from_histograms(mine)[0]] == [2400]


@pytest.mark.slow
def test_killed_before_any_change_of_the_disk(mine: Path, theirs: Path) -> None:
    kills = 0
    for at in (1, 2, 3, 4, 7, 10, 15, 22):
        kills += not run_child("import", mine, at, theirs)
        run = load_run(mine, RUN_ID)
        assert run.problems == []
    assert kills >= 6
    run_child("import", mine, source=theirs)
    check_both(mine)


@pytest.mark.slow
def test_another_run_of_the_same_name_is_left_alone(mine: Path, theirs: Path) -> None:
    write_run(theirs, vantage="elsewhere")
    path = theirs / "runs" / RUN_ID / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": 5}))
    done = import_results(mine, theirs)
    assert len(done.problems) == 1
    assert "another run of the same name as ours" in done.problems[0]
    check_both(mine)


def test_what_is_damaged_foreign_or_newer_is_left_out_and_told(mine: Path, theirs: Path) -> None:
    files = parquet_files(theirs)
    files[0].write_bytes(files[0].read_bytes()[:999])
    shutil.copy(files[1], files[2])
    path = theirs / "runs" / THEIRS / "sessions" / "1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    done = import_results(mine, theirs)
    told = "\n".join(done.problems)
    assert "is torn or no Parquet file of packets" in told
    assert "it was renamed" in told
    assert "was written by a newer probe (schema 99, this one reads up to 1): update probe to read it" in told
    assert (done.segments, len(done.problems)) == (4, 3)
    assert load_run(mine, RUN_ID).problems == []


def test_what_is_no_results_folder_is_a_sentence(mine: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no results folder"):
        import_results(mine, tmp_path / "nothing")
    with pytest.raises(ConfigError, match="is the results folder itself"):
        import_results(mine, mine)
