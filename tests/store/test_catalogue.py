"""The catalogue is never the truth: whatever became of it or of the folders, lists are as from the folders alone."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.errors import ConfigError, StoreError
from probe.records import INTERRUPTED
from probe.store import catalogue, catalogue_file, documents, layout, sessions
from probe.store.catalogue import Catalogue, catalogue_of
from probe.store.catalogue_file import NAME, read_units
from probe.store.check import check
from probe.store.copying import import_results
from probe.store.hist_files import stored_histograms
from probe.store.hours import hours_from_histograms
from probe.store.listing import stored_segments
from probe.store.lookup import run_ids
from probe.store.parquet import connect
from probe.store.reader import find_sessions, list_runs
from probe.store.recatalogue import rebuild
from probe.store.resume import manifests
from probe.store.session_delays import session_delays
from probe.store.sessions import files_of_run
from probe.store.tidying import repair
from probe.store.writer import RunWriter
from tests.store.killing import run_child
from tests.store.life import STEPS, Life
from tests.store.samples import RUN_ID, make_manifest, make_record, make_rows
from tests.store.test_reader import measure_run, write_run

TICK_S = 0.012
"""Longer than any tick of a file system's clock here: what changes later has another time."""
OTHER = "20261121T120000Z-bbbbbb"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs and a catalogue of all."""
    monkeypatch.setattr(catalogue_file, "SETTLED_NS", 0)
    for run_id in (OTHER, RUN_ID):
        write_run(tmp_path, run_id)
    time.sleep(TICK_S)
    rebuild(tmp_path)
    return tmp_path


def by_folders(root: Path) -> list[tuple[str, int, bool]]:
    """Runs, sessions and whether they are complete, from the functions that know no catalogue."""
    found = []
    every = stored_segments(root).files
    for run_id in sorted({*run_ids(root), *(file.run_id for file in every)}):
        own = [file for file in every if file.run_id == run_id]
        here, _ = files_of_run(layout.run_folder(root, run_id), run_id, own)
        ended = [one for one in here if one.record is not None and one.record.outcome != INTERRUPTED]
        found.append((run_id, len(here), len(ended) == len(here) > 0))
    return found


def listed(root: Path) -> list[tuple[str, int, bool]]:
    return [(info.run_id, info.sessions, info.complete) for info in list_runs(root)]


def same_as_folders(root: Path) -> None:
    assert listed(root) == by_folders(root)
    with connect() as connection, catalogue_of(root, connection) as known:
        for run_id in known.runs():
            mine, theirs = known.segments(run_id), stored_segments(root, run_id=run_id)
            assert (mine.files, mine.problems) == (theirs.files, theirs.problems)
        histograms = stored_histograms(connection, root)
        assert known.histograms().parts == histograms.parts
        assert set(known.histograms().hidden) == set(histograms.hidden)
    afresh = Catalogue(root, afresh=True)
    assert list_runs(root) == _listed_afresh(root)
    afresh.look_at_everything()
    kept = read_units(root) or {}
    fresh = json.loads(json.dumps({name: astuple(unit) for name, unit in afresh.units().items()}))
    afresh.close()
    for name, unit in kept.items():
        if name in fresh and unit.stamp == fresh[name][0]:
            assert unit.content == fresh[name][1]


def _listed_afresh(root: Path) -> Any:
    """As `list_runs`, with the file out of the way."""
    path, aside = root / NAME, root / "aside"
    there = path.exists()
    if there:
        path.rename(aside)
    try:
        return list_runs(root)
    finally:
        if there:
            aside.rename(path)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(steps=st.lists(st.sampled_from(STEPS), min_size=3, max_size=6), seed=st.integers(0, 999))
def test_after_anything_the_list_is_that_of_the_folders(steps: list[str], seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
        patch.setattr(catalogue_file, "SETTLED_NS", 0)
        life = Life(Path(name), seed)
        life.write()
        for step in steps:
            getattr(life, step)()
            time.sleep(TICK_S)
            same_as_folders(life.root)


@pytest.mark.slow
def test_what_has_not_changed_is_not_read_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = listed(store), session_delays(store), hours_from_histograms(store)
    read: list[str] = []

    def counted(name: str, reader: Callable[..., Any]) -> Callable[..., Any]:
        def reading(*arguments: Any) -> Any:
            read.append(name)
            return reader(*arguments)

        return reading

    for name in ("read_run", "read_packet_folder", "read_histogram_folder"):
        monkeypatch.setattr(catalogue, name, counted(name, getattr(catalogue, name)))
    assert (listed(store), session_delays(store), hours_from_histograms(store)) == before
    assert read == []
    measure_run(store, "20261123T120000Z-cccccc")
    assert len(listed(store)) == 3
    # The folder of the date has changed, as all these runs are of the 22nd, and the new run is read.
    assert sorted(read) == ["read_packet_folder", "read_run"]
    read.clear()
    (store / "runs" / OTHER / "verdict.json").write_text('{"schema_version": 1, "verdict": "fail"}')
    assert [info.verdict for info in list_runs(store)] == ["fail", "pass", "pass"]
    assert "read_packet_folder" not in read


def test_a_folder_that_changed_a_moment_ago_is_not_kept(tmp_path: Path) -> None:
    write_run(tmp_path)
    assert listed(tmp_path) == [(RUN_ID, 2, True)]
    # Not even a file: another change might hide behind the same time.
    assert not set(read_units(tmp_path) or {}) & {f"runs/{RUN_ID}"}


def flip(whole: bytes) -> bytes:
    return whole.replace(b'"pass"', b'"fail"', 1)


def newer(whole: bytes) -> bytes:
    return whole.replace(b'{"catalogue": 1', b'{"catalogue": 2', 1)


def other_schema(whole: bytes) -> bytes:
    return whole.replace(b'"schema_version": 1', b'"schema_version": 2', 1)


def half(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(flip, id="flip"),
        pytest.param(newer, id="newer", marks=pytest.mark.slow),
        pytest.param(other_schema, id="schema", marks=pytest.mark.slow),
        pytest.param(half, id="half"),
        pytest.param(lambda _: b"", id="empty", marks=pytest.mark.slow),
        pytest.param(lambda _: b"PAR1\0\0PAR1", id="foreign", marks=pytest.mark.slow),
        pytest.param(lambda _: b"[1]\n[2]\n", id="lines", marks=pytest.mark.slow),
    ],
)
def test_a_file_that_is_wrong_is_as_none_and_replaced(store: Path, spoil: Callable[[bytes], bytes]) -> None:
    before = list_runs(store)
    whole = (store / NAME).read_bytes()
    (store / NAME).write_bytes(spoil(whole))
    assert (store / NAME).read_bytes() != whole
    assert [finding.kind for finding in check(store).findings] == ["repairable"]
    assert list_runs(store) == before
    assert read_units(store)
    assert check(store).findings == []


def test_a_deleted_one_comes_back(store: Path) -> None:
    before = list_runs(store)
    (store / NAME).unlink()
    assert check(store).findings == []
    assert list_runs(store) == before
    assert read_units(store)


def test_another_store_s_catalogue_says_nothing_here(
    store: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    write_run(other, OTHER, sessions=1)
    shutil.copy2(store / NAME, other / NAME)
    assert listed(other) == by_folders(other) == [(OTHER, 1, True)]


def test_check_finds_one_that_lies_and_repairs_it(store: Path) -> None:
    units = read_units(store)
    assert units is not None
    units[f"runs/{RUN_ID}"].content["verdict"] = "fail"
    catalogue_file.write_units(store, lambda _: units, 0)
    (finding,) = check(store).findings
    assert (finding.kind, finding.sentence) == (
        "repairable",
        f"{store / NAME} does not tell what is in {store}/runs/{RUN_ID}",
    )
    repair(store)
    assert check(store).findings == []
    assert {info.verdict for info in list_runs(store)} == {"pass"}


def test_a_document_damaged_in_place_is_told(store: Path) -> None:
    path = layout.session_path(store, RUN_ID, 1)
    path.write_text("{")
    for _ in range(2):
        (_, info) = list_runs(store)
        assert len(info.problems) == 1
        assert "1.json is torn" in info.problems[0]


def test_a_disk_that_takes_nothing_has_no_catalogue_and_needs_none(store: Path) -> None:
    before = list_runs(store)
    (store / NAME).unlink()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limit[1]))
    try:
        assert list_runs(store) == before
        with pytest.raises(StoreError, match="cannot write"):
            rebuild(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(store.glob(f"*{NAME}*")) + list(store.glob(".*.tmp"))


@pytest.mark.slow
def test_killed_at_any_change_of_the_disk(store: Path) -> None:
    before = list_runs(store)
    for kill_at in count(1):
        (store / NAME).unlink(missing_ok=True)
        ended = run_child("list", store, kill_at)
        assert list_runs(store) == before
        if ended:
            break
    assert kill_at > 1


def test_nothing_is_written_where_nothing_is(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == []
    assert list_runs(tmp_path / "none") == []
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="there are no results"):
        rebuild(tmp_path / "none")


def test_an_import_neither_reads_nor_writes_the_source_s(
    store: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mine = tmp_path_factory.mktemp("mine")
    told = (store / NAME).stat()
    import_results(mine, store)
    assert not (mine / NAME).exists()
    assert (store / NAME).stat() == told
    assert listed(mine) == listed(store)


def test_manifests_of_other_kinds_are_not_opened(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = "20261123T120000Z-cccccc"
    RunWriter(store, make_manifest(campaign, kind="campaign")).close()
    time.sleep(TICK_S)
    rebuild(store)
    opened: list[str] = []

    def noted(path: Path) -> Any:
        opened.append(path.parent.name)
        return documents.read_json(path)

    monkeypatch.setattr("probe.store.resume.read_json", noted)
    assert [manifest["run_id"] for manifest in manifests(store, "campaign")] == [campaign]
    assert opened == [campaign]
    (store / NAME).unlink()
    assert [manifest["run_id"] for manifest in manifests(store, "campaign")] == [campaign]


@pytest.mark.slow
def test_earlier_sessions_are_chosen_without_opening_the_others(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunWriter(store, make_manifest("20261124T120000Z-dddddd")) as writer:
        for index in range(6):
            record = make_record(index, run_id=writer.run_id, node=f"n-{index % 2}")
            writer.add_rows(record, make_rows(20))
            writer.finish_session(record)
        killed = make_record(6, run_id=writer.run_id, node="n-1")
        writer.add_rows(killed, make_rows(30))
    asked = {"country": "ID", "vendor": "alpha", "node": "n-1", "before": "2027-01-01T00:00:00+00:00"}
    found = find_sessions(store, **asked, limit=99)  # type: ignore[arg-type]
    assert sorted(session.record.index for session in found) == [1, 3, 5, 6]
    assert [len(session.rows) for session in found if session.record.index == 6] == [30]
    time.sleep(TICK_S)
    list_runs(store)
    opened: list[str] = []
    document = sessions._read_document

    def noted(path: Path, run_id: str) -> Any:
        opened.append(path.name)
        return document(path, run_id)

    monkeypatch.setattr("probe.store.sessions._read_document", noted)
    again = find_sessions(store, **asked, limit=99)  # type: ignore[arg-type]
    assert [session.record for session in again] == [session.record for session in found]
    assert sorted(opened) == ["1.json", "3.json", "5.json"]
