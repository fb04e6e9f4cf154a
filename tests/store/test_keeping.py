"""keep_raw: old packets go when asked, their histograms stay, and readers are told."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from probe.store.check import check
from probe.store.copying import import_results
from probe.store.hours import hours_from_histograms
from probe.store.reader import find_sessions, list_runs, load_run
from probe.store.tidying import tidy
from probe.store.writer import RunWriter
from tests.store.killing import DAY_NS, NOW, run_child
from tests.store.samples import RUN_ID, WALL_OFFSET, make_manifest, make_record, make_rows, parquet_files
from tests.store.test_reader import write_run

NEW_ID = "20261230T120000Z-eeeeee"
LATER = 38 * DAY_NS


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A run of 22 November and one of 30 December."""
    write_run(tmp_path)
    write_run(tmp_path, NEW_ID, wall_offset_ns=WALL_OFFSET + LATER)
    return tmp_path


def test_nothing_is_removed_unless_asked(store: Path) -> None:
    assert tidy(store, lambda _: None, NOW).dropped.sessions == 0
    assert tidy(store, lambda _: 40 * DAY_NS, NOW).dropped.sessions == 0
    assert len(load_run(store, RUN_ID).sessions[0].rows) == 600


@pytest.mark.parametrize("compacted_before", [False, True])
def test_old_packets_go_and_histograms_stay(store: Path, compacted_before: bool) -> None:
    if compacted_before:
        tidy(store, lambda _: None, NOW)
    hours = hours_from_histograms(store)
    done = tidy(store, lambda run_id: 14 * DAY_NS if run_id == RUN_ID else None, NOW)
    assert (done.dropped.sessions, done.dropped.packets) == (2, 1200)
    assert hours_from_histograms(store) == hours


def test_a_reader_is_told_what_is_gone(store: Path) -> None:
    done = tidy(store, lambda _: 14 * DAY_NS, NOW)
    assert (done.dropped.sessions, done.dropped.packets) == (2, 1200)
    run = load_run(store, RUN_ID)
    assert len(run.problems) == 1
    assert "the packets of all its 2 sessions were removed (keep_raw)" in run.problems[0]
    assert [(len(s.rows), s.removed, s.complete) for s in run.sessions] == [(0, True, True)] * 2
    assert load_run(store, NEW_ID).problems == []
    assert [info.complete for info in list_runs(store)] == [True, True]
    assert [finding for finding in check(store).findings if finding.kind != "remark"] == []
    found = find_sessions(
        store, country="ID", vendor="alpha", node="jkt-1", before="2027-01-01T00:00:00+00:00", limit=9
    )
    assert {session.record.run_id for session in found} == {NEW_ID}


def test_a_killed_session_keeps_its_record_and_gets_a_histogram(tmp_path: Path) -> None:
    with RunWriter(tmp_path, make_manifest()) as writer:
        writer.add_rows(make_record(), make_rows(600))
    for path in parquet_files(tmp_path):
        os.utime(path, (0, 0))
    done = tidy(tmp_path, lambda _: 14 * DAY_NS, NOW)
    assert (done.histograms_rebuilt, done.dropped.sessions) == (1, 1)
    session = load_run(tmp_path, RUN_ID).sessions[0]
    assert (session.record.node, session.removed, session.complete) == ("jkt-1", True, False)
    assert [hour.n for hour in hours_from_histograms(tmp_path)[0]] == [600]


def test_packets_that_cannot_be_read_are_not_removed(store: Path) -> None:
    torn = parquet_files(store)[1]
    torn.write_bytes(b"PAR1")
    for path in (store / "hist").rglob("*.parquet"):
        path.unlink()
    done = tidy(store, lambda _: 14 * DAY_NS, NOW)
    assert done.dropped.sessions == 1
    assert torn.exists()
    assert "no histogram could be made" in " ".join(done.problems)


@pytest.mark.slow
def test_an_import_does_not_bring_them_back(store: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    mine = tmp_path_factory.mktemp("mine")
    import_results(mine, store)
    tidy(mine, lambda _: 14 * DAY_NS, NOW)
    assert import_results(mine, store).segments == 0
    assert load_run(mine, RUN_ID).sessions[0].removed
    third = tmp_path_factory.mktemp("third")
    import_results(third, mine)
    assert load_run(third, RUN_ID).sessions[0].removed
    assert hours_from_histograms(third) == hours_from_histograms(store)


@pytest.mark.slow
def test_killed_at_any_moment_it_is_gone_or_there(store: Path) -> None:
    hours = hours_from_histograms(store)
    for at in (1, 3, 5, 6, 7, 9):
        run_child("remove", store, at)
        run = load_run(store, RUN_ID)
        kept = [len(session.rows) for session in run.sessions]
        assert kept in ([600, 600], [0, 0])
        assert len(run.problems) == (kept == [0, 0])
        assert hours_from_histograms(store) == hours
    run_child("remove", store)
    assert all(session.removed for session in load_run(store, RUN_ID).sessions)
    assert np.array_equal(load_run(store, NEW_ID).sessions[0].rows, make_rows(600))
    assert hours_from_histograms(store) == hours
