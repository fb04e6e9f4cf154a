"""`store check` finds what is wrong and says so; export gives what any program reads; disks that refuse."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from probe.errors import ConfigError, StoreError
from probe.metrics import Fate
from probe.session.upkeep import fate_columns, fates_add_up
from probe.store.check import DAMAGE, REMARK, REPAIRABLE, check
from probe.store.copying import import_results
from probe.store.exports import CSV, PARQUET, export
from probe.store.reader import load_run
from probe.store.tidying import repair, tidy
from probe.store.writer import RunWriter
from tests.store.killing import NOW
from tests.store.samples import RUN_ID, make_manifest, make_record, make_rows, parquet_files, query
from tests.store.test_reader import write_run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    write_run(folder)
    return folder


def found(root: Path) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {DAMAGE: [], REPAIRABLE: [], REMARK: []}
    for finding in check(root, fates_add_up).findings:
        kinds[finding.kind].append(finding.sentence)
    return kinds


def test_a_whole_store_has_no_findings(store: Path) -> None:
    checked = check(store, fates_add_up)
    assert (checked.runs, checked.sessions, checked.packets, checked.files) == (1, 2, 1200, 6)
    assert checked.findings == []
    tidy(store, lambda _: None, NOW)
    checked = check(store, fates_add_up)
    assert (checked.packets, checked.files, checked.findings) == (1200, 1, [])


def test_every_kind_of_damage_is_one_sentence(store: Path) -> None:
    first, second, third = parquet_files(store)[:3]
    first.write_bytes(first.read_bytes()[:1000])
    second.unlink()
    query(f"COPY (SELECT 1 AS a) TO '{third}' (FORMAT parquet)")
    (store / "runs" / RUN_ID / "sessions" / "1.json").write_text("{")
    (store / "runs" / "20261101T000000Z-000000").mkdir()
    told = "\n".join(found(store)[DAMAGE])
    assert f"{first} is torn" in told
    assert "1 of its segments are missing" in told
    assert f"{third} is not a packet segment of probe (foreign Parquet file)" in told
    assert "1.json is torn or not JSON" in told
    assert "run 20261101T000000Z-000000 has no manifest.json" in told


@pytest.mark.slow
def test_leftovers_and_strangers_are_told_and_mended(store: Path) -> None:
    folder = parquet_files(store)[0].parent
    old, young = folder / ".a.parquet.1234.tmp", folder / ".b.parquet.1234.tmp"
    for path in (old, young, folder / "notes.txt"):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    for path in (store / "hist").rglob("*s0001.parquet"):
        path.unlink()
    kinds = found(store)
    assert kinds[DAMAGE] == []
    assert kinds[REPAIRABLE] == [
        f"{old} was left by a process that was killed",
        f"session 1 of run {RUN_ID} has no histogram",
    ]
    assert kinds[REMARK] == [f"{folder / 'notes.txt'} is no file of the store; it is passed over"]
    assert repair(store) == (1, 1)
    assert found(store)[REPAIRABLE] == []
    assert young.exists()


def test_a_histogram_that_counts_something_else_is_told(store: Path) -> None:
    first = min((store / "hist").rglob("*.parquet"))
    with RunWriter(store.parent / "other", make_manifest()) as writer:
        writer.add_rows(make_record(), make_rows(10))
        writer.finish_session(make_record())
    shutil.copy(next((store.parent / "other" / "hist").rglob("*.parquet")), first)
    assert found(store)[DAMAGE] == [
        f"the histogram of session 0 of run {RUN_ID} counts 10 packets, its segments 600"
    ]


def test_fates_add_up_for_any_session(store: Path) -> None:
    assert [fates_add_up(session) for session in load_run(store, RUN_ID).sessions] == [None, None]


@pytest.mark.parametrize("form", [CSV, PARQUET])
def test_an_export_is_read_by_any_program(store: Path, tmp_path: Path, form: str) -> None:
    target = tmp_path / f"out.{form}"
    assert export(store, [RUN_ID[:12]], target, form, fate_columns) == (1200, [])
    sql = "SELECT count(*), count(received_ns), min(country), min(local_hour), sum(fate = ?), sum(seq) FROM "
    rows = query(f"{sql} '{target}'", int(Fate.ON_TIME))
    assert rows[0][:4] == (1200, 1080, "ID", 19)
    assert rows[0][5] == 2 * sum(range(600))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".probe")] == []


def test_an_export_of_nothing_or_to_nowhere_is_a_sentence(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        export(store, [RUN_ID], tmp_path / "no" / "out.csv", CSV)
    with pytest.raises(ConfigError, match="no run '2030'"):
        export(store, ["2030"], tmp_path / "out.csv", CSV)


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """Stands for the full disk; it can be lifted in the same process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.slow
def test_a_full_disk_ends_compaction_and_loses_nothing(store: Path, tmp_path: Path) -> None:
    with no_file_over(3000):
        with pytest.raises(StoreError, match=r"cannot write .*compact-"):
            tidy(store, lambda _: None, NOW)
        with pytest.raises(StoreError, match=r"cannot write .*larger than this process may write"):
            import_results(tmp_path / "mine", store)
    assert len(parquet_files(store)) == 6
    assert found(store) == {DAMAGE: [], REPAIRABLE: [], REMARK: []}
    tidy(store, lambda _: None, NOW)
    import_results(tmp_path / "mine", store)
    for root in (store, tmp_path / "mine"):
        assert all(np.array_equal(s.rows, make_rows(600)) for s in load_run(root, RUN_ID).sessions)


READ_ONLY = """
import os, sys
from probe.cli import app
from probe.cli.failures import execute
import probe.store.tidying
execute(app, ["store", "check", "--quiet", "--results", sys.argv[1]])  # imports what it needs
if os.geteuid() == 0:
    os.setuid(65534)
code = execute(app, ["store", "check", "--quiet", "--results", sys.argv[1]])
assert code == 0, code
sys.exit(execute(app, ["store", "compact", "--results", sys.argv[1]]))
"""


@pytest.mark.slow
def test_a_read_only_store_is_checked_but_not_compacted(store: Path) -> None:
    for path in [store, *store.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for path in (store.parent, *list(store.parents)[1:3]):
        path.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(store)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    for path in [store, *store.rglob("*")]:
        path.chmod(0o755)
    assert done.returncode == 3, done.stderr
    assert "all is well" in done.stdout
    assert "permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert found(store)[DAMAGE] == []
