"""SIGKILL at any moment loses at most the open segments; a full or read-only disk keeps what was written."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from probe.errors import StoreError
from probe.metrics import Rows
from probe.records import INTERRUPTED
from probe.store.reader import load_run
from probe.store.writer import RunWriter
from tests.store.samples import (
    MONOTONIC_START,
    MS,
    RUN_ID,
    make_manifest,
    make_record,
    make_rows,
    parquet_files,
    query,
)


def noise(count: int, first: int) -> Rows:
    """Rows that do not compress, one a microsecond, the first 20 s after the start."""
    rows = make_rows(count, first=first)
    rows["scheduled_ns"] = MONOTONIC_START + 20_000 * MS + rows["seq"].astype(np.int64) * 1000
    rows["received_ns"] += np.random.default_rng(first).integers(0, 2**40, count)
    rows["sent_ns"] += np.random.default_rng(first + 1).integers(0, 2**40, count)
    return rows


def start_writer(root: Path, kill_at: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.samples", str(root), str(kill_at)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    )


def check_what_is_left(root: Path, handed_over: int) -> None:
    """Whole segments only; of each session the first packets, each once, all but the last few seconds."""
    for path in parquet_files(root):
        assert query(f"SELECT count(*) FROM '{path}'") == [(250,)]
    sessions = []
    if parquet_files(root):
        run = load_run(root, RUN_ID)
        assert run.problems == []
        sessions = run.sessions
    kept = {session.record.index: session.rows for session in sessions}
    for index in (0, 1):
        rows = kept.get(index, make_rows(0))
        assert len(rows) >= handed_over - 300  # 5 s, and the second in which it was killed
        assert np.array_equal(rows, make_rows(len(rows)))
    assert all(session.record.outcome == INTERRUPTED for session in sessions)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(8))
def test_a_killed_writer_loses_the_open_segments_only(tmp_path: Path, attempt: int) -> None:
    with start_writer(tmp_path) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(random.Random(attempt).uniform(0.0, 0.25))
        child.send_signal(signal.SIGKILL)
        printed = child.stdout.read().split()
    assert child.returncode == -signal.SIGKILL
    check_what_is_left(tmp_path, int(printed[-1]) if printed else 50)


@pytest.mark.slow
@pytest.mark.parametrize("flush", [4, 10, 11, 20, 21])
def test_killed_between_writing_and_renaming(tmp_path: Path, flush: int) -> None:
    """Each file is flushed before its renaming and its folder after: a kill just before either."""
    with start_writer(tmp_path, flush) as child:
        assert child.stdout is not None
        printed = child.stdout.read().split()
    assert child.returncode == -signal.SIGKILL
    check_what_is_left(tmp_path, int(printed[-1]) if printed else 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB where mounting is allowed; else no file may grow over 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False, capture_output=True
        ).returncode
    )
    if mounted:
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def all_files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_a_full_disk_keeps_what_was_written(small_disk: Path) -> None:
    writer = RunWriter(small_disk, make_manifest())
    writer.add_rows(make_record(), make_rows(1000))
    ballast = small_disk / "ballast"
    fill(ballast)
    before = set(parquet_files(small_disk))
    with pytest.raises(StoreError, match=r"cannot write .*(no space left|larger than)") as told:
        add_until_it_fails(writer)
    assert f"kept of run {RUN_ID}: " in str(told.value)
    assert "\n" not in str(told.value)
    assert "results another folder" in told.value.hint
    assert before <= set(parquet_files(small_disk))
    assert not [path for path in all_files(small_disk) if path.name.endswith(".tmp")]
    kept = load_run(small_disk, RUN_ID)
    assert kept.problems == []
    rows = len(kept.sessions[0].rows)
    assert f"{rows} packets" in str(told.value)
    with pytest.raises(StoreError):
        writer.write_document("summary.json", {"x": "y" * 2_000_000})
    assert not (writer.folder / "summary.json").exists()


def add_until_it_fails(writer: RunWriter) -> None:
    for batch in range(40):
        writer.add_rows(make_record(), noise(20_000, 1000 + 20_000 * batch))


def fill(ballast: Path) -> None:
    """Leave some 60 kB on a file system of 1 MiB."""
    free = os.statvfs(ballast.parent)
    size = free.f_bavail * free.f_frsize - 60_000
    if 0 < size < 2**20:
        ballast.write_bytes(b"\0" * size)


def test_when_there_is_space_again_nothing_is_lost(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: it can be lifted in the same process."""
    writer = RunWriter(tmp_path, make_manifest())
    writer.add_rows(make_record(), make_rows(100))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
        with pytest.raises(StoreError, match="larger than this process may write"):
            writer.add_rows(make_record(), make_rows(400, first=100))
        with pytest.raises(StoreError, match="0 packets and 0 finished sessions"):
            writer.finish_session(make_record())
        assert parquet_files(tmp_path) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    writer.finish_session(make_record())
    writer.close()
    run = load_run(tmp_path, RUN_ID)
    assert run.problems == []
    assert np.array_equal(run.sessions[0].rows, make_rows(500))
    assert sum(path.name.startswith(".") for path in all_files(tmp_path)) == 0


READ_ONLY = """
import os, sys
from pathlib import Path
from probe.errors import StoreError
from probe.store.writer import RunWriter
if os.geteuid() == 0:
    os.setuid(65534)
try:
    RunWriter(Path(sys.argv[1]), {"run_id": "x"})
except StoreError as error:
    sys.exit(str(error))
"""


def test_a_folder_that_may_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir(mode=0o555)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(folder)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"cannot write {folder}/runs/x/manifest.json: permission denied" in done.stderr
    assert "Traceback" not in done.stderr
