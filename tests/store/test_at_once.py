"""Two runs are written and reports are made at the same time: each reading is whole as far as it goes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from probe.store.check import DAMAGE, check
from probe.store.hours import hours_from_histograms
from probe.store.layout import run_folder
from probe.store.listing import stored_segments
from probe.store.parquet import connect
from probe.store.reader import list_runs, load_run
from probe.store.sessions import files_of_run, load_session
from probe.store.writer import RunWriter
from tests.store.samples import make_manifest, make_record, make_rows

RUNS = ("20261122T120000Z-aaaaaa", "20261122T120000Z-bbbbbb")
SESSIONS, PARTS = 4, 5


def write(root: Path, run_id: str) -> None:
    with RunWriter(root, make_manifest(run_id)) as writer:
        for index in range(SESSIONS):
            record = make_record(index, run_id=run_id)
            for part in range(PARTS):
                writer.add_rows(record, make_rows(100, first=100 * part))
            writer.finish_session(record)


def read(root: Path) -> None:
    """What there is of either run is a run's beginning: no packet twice, nothing damaged."""
    for info in list_runs(root):
        run = load_run(root, info.run_id)
        assert run.problems == []
        for session in run.sessions:
            assert np.array_equal(session.rows, make_rows(len(session.rows)))
    hours, problems = hours_from_histograms(root)
    assert problems == []
    assert sum(hour.n for hour in hours) <= len(RUNS) * SESSIONS * PARTS * 100


@pytest.mark.slow
def test_two_runs_and_reports_at_the_same_time(tmp_path: Path) -> None:
    readings = 0
    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(write, tmp_path, run_id) for run_id in RUNS]
        while not all(job.done() for job in writing):
            read(tmp_path)
            readings += 1
        for job in writing:
            job.result()
    assert readings
    read(tmp_path)
    hours, _ = hours_from_histograms(tmp_path)
    assert sum(hour.n for hour in hours) == len(RUNS) * SESSIONS * PARTS * 100
    found = check(tmp_path)
    assert (found.runs, found.sessions, found.packets) == (2, 8, 4000)
    assert not [finding for finding in found.findings if finding.kind == DAMAGE]


def test_a_session_that_ends_while_it_is_read_lacks_nothing(tmp_path: Path) -> None:
    record = make_record(0, run_id=RUNS[0])
    with RunWriter(tmp_path, make_manifest(RUNS[0])) as writer, connect() as connection:
        writer.add_rows(record, make_rows(300))
        listed = stored_segments(tmp_path, run_id=RUNS[0]).files
        writer.add_rows(record, make_rows(300, first=300))
        writer.finish_session(record)
        (files,), problems = files_of_run(run_folder(tmp_path, RUNS[0]), RUNS[0], listed)
        session, wrong = load_session(connection, files)
    assert problems == wrong == []
    assert session is not None
    assert len(session.rows) == 600
