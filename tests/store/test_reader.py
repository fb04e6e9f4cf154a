"""Reading back: without documents, with damage, by name, and across runs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from probe.errors import ConfigError
from probe.records import INTERRUPTED, UNREACHABLE, Json, SessionRecord
from probe.store.reader import find_sessions, list_runs, load_run
from probe.store.writer import RunWriter
from tests.store.samples import RUN_ID, make_manifest, make_record, make_rows, parquet_files


def measure_run(root: Path, run_id: str = RUN_ID, sessions: int = 2, **changes: Any) -> list[SessionRecord]:
    """A finished run with `sessions` sessions of 12 s, started at the time in its id."""
    stamp = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T{run_id[9:11]}:{run_id[11:13]}"
    with RunWriter(root, make_manifest(run_id, sessions_planned=sessions)) as writer:
        records = []
        for index in range(sessions):
            record = make_record(
                index,
                run_id=run_id,
                started_at=f"{stamp}:{index:02d}+00:00",
                counters={"received": 600},
                **changes,
            )
            writer.add_rows(record, make_rows(600))
            writer.finish_session(record)
            records.append(record)
        writer.write_document("summary.json", {"sessions": []})
        writer.write_document("verdict.json", {"verdict": "pass"})
    return records


def write_run(root: Path, run_id: str = RUN_ID, sessions: int = 2, **changes: Any) -> list[SessionRecord]:
    """The files of `measure_run`, written once and then copied: most tests only want a run to be there."""
    files, records = _measured(run_id, sessions, tuple(changes.items()))
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return list(records)


@cache
def _measured(
    run_id: str, sessions: int, changes: tuple[tuple[str, Any], ...]
) -> tuple[dict[Path, bytes], tuple[SessionRecord, ...]]:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        records = measure_run(root, run_id, sessions, **dict(changes))
        files = {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return files, tuple(records)


def test_everything_is_in_the_packets_and_session_documents(tmp_path: Path) -> None:
    records = write_run(tmp_path)
    before = load_run(tmp_path, RUN_ID)
    for name in ("summary.json", "verdict.json"):
        (tmp_path / "runs" / RUN_ID / name).unlink()
    after = load_run(tmp_path, RUN_ID)
    assert after.problems == []
    assert after.manifest == before.manifest == {"schema_version": 1, **make_manifest(sessions_planned=2)}
    for record, old, new in zip(records, before.sessions, after.sessions, strict=True):
        assert old.record == new.record == record
        assert np.array_equal(old.rows, new.rows)
        assert np.array_equal(new.rows, make_rows(600))


def test_sessions_without_documents_are_put_together(tmp_path: Path) -> None:
    records = write_run(tmp_path)
    shutil.rmtree(tmp_path / "runs" / RUN_ID / "sessions")
    run = load_run(tmp_path, RUN_ID)
    assert run.problems == []
    assert [session.record for session in run.sessions] == [
        replace(record, outcome=INTERRUPTED) for record in records
    ]
    assert all(np.array_equal(session.rows, make_rows(600)) for session in run.sessions)
    assert not any(session.complete for session in run.sessions)


def test_a_run_of_packets_alone_is_read(tmp_path: Path) -> None:
    write_run(tmp_path)
    shutil.rmtree(tmp_path / "runs")
    run = load_run(tmp_path, RUN_ID[:12])
    assert run.manifest["country"] == "ID"
    assert [len(session.rows) for session in run.sessions] == [600, 600]
    assert len(run.problems) == 1
    assert "manifest.json" in run.problems[0]
    assert [info.run_id for info in list_runs(tmp_path)] == [RUN_ID]


def test_a_session_without_packets_is_read(tmp_path: Path) -> None:
    with RunWriter(tmp_path, make_manifest()) as writer:
        writer.finish_session(make_record(outcome=UNREACHABLE))
    (session,) = load_run(tmp_path, RUN_ID).sessions
    assert (session.record.outcome, len(session.rows)) == (UNREACHABLE, 0)


def test_damage_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    write_run(tmp_path)
    first, second, third, *others = parquet_files(tmp_path)
    first.write_bytes(first.read_bytes()[:1000])
    second.unlink()
    copy = third.parent.parent / "date=2026-11-30" / third.name
    copy.parent.mkdir()
    shutil.copy(third, copy)
    (third.parent / f".{third.name}.0a0b0c0d.tmp").write_bytes(b"half")
    (third.parent / "mine.parquet").write_bytes(b"not ours")
    document = tmp_path / "runs" / RUN_ID / "sessions" / "1.json"
    document.write_text("{")
    run = load_run(tmp_path, RUN_ID)
    assert [len(session.rows) for session in run.sessions] == [100, 600]
    assert [session.complete for session in run.sessions] == [True, False]
    assert len(others) == 3
    assert len(run.problems) == 4
    told = "\n".join(run.problems)
    assert all(str(path) in told for path in (first, copy, document))
    assert "session 0 of run 20261122T120000Z-ab12cd: 1 of its segments are missing" in told


def test_a_newer_session_document_is_told(tmp_path: Path) -> None:
    write_run(tmp_path, sessions=1)
    path = tmp_path / "runs" / RUN_ID / "sessions" / "0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 7}))
    (problem,) = load_run(tmp_path, RUN_ID).problems
    assert "newer probe (schema 7" in problem


@pytest.mark.parametrize("break_it", [{"run_id": "other"}, {"index": 5}])
def test_a_session_document_of_another_session_is_told(tmp_path: Path, break_it: Json) -> None:
    write_run(tmp_path, sessions=1)
    path = tmp_path / "runs" / RUN_ID / "sessions" / "0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **break_it}))
    (problem,) = load_run(tmp_path, RUN_ID).problems
    assert "it was renamed" in problem


def test_keys_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    records = write_run(tmp_path, sessions=1)
    path = tmp_path / "runs" / RUN_ID / "sessions" / "0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "colour": "blue"}))
    assert [session.record for session in load_run(tmp_path, RUN_ID).sessions] == records


class TestName:
    OTHER = "20261123T120000Z-ab99ff"

    def test_unique_beginning_and_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_run(tmp_path, sessions=1)
        write_run(tmp_path, self.OTHER, sessions=1)
        folder = tmp_path / "runs" / RUN_ID
        monkeypatch.chdir(folder)
        for name in (RUN_ID, "20261122", folder, str(folder), f"{folder}/manifest.json", "."):
            assert load_run(tmp_path, name).run_id == RUN_ID
        assert load_run(Path("elsewhere"), folder).run_id == RUN_ID

    def test_errors_name_the_nearest(self, tmp_path: Path) -> None:
        write_run(tmp_path, sessions=1)
        write_run(tmp_path, self.OTHER, sessions=1)
        with pytest.raises(ConfigError, match=rf"no run '20261122T120000Z-ab12ce'.*nearest: {RUN_ID}"):
            load_run(tmp_path, "20261122T120000Z-ab12ce")
        with pytest.raises(ConfigError, match=rf"'2026112' fits 2 runs.*{RUN_ID}, {self.OTHER}"):
            load_run(tmp_path, "2026112")
        for name in ("zzz", "", "*"):
            with pytest.raises(ConfigError, match=f"no run '{'[*]' if name == '*' else name}'.*{self.OTHER}"):
                load_run(tmp_path, name)
        with pytest.raises(ConfigError, match="is no run"):
            load_run(tmp_path, tmp_path / "runs")

    @pytest.mark.parametrize("root", ["", "nowhere"])
    def test_no_runs_at_all(self, tmp_path: Path, root: str) -> None:
        with pytest.raises(ConfigError, match="there are no runs in"):
            load_run(tmp_path / root, "x")
        assert list_runs(tmp_path / root) == []

    def test_a_run_of_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "runs" / RUN_ID).mkdir(parents=True)
        with pytest.raises(ConfigError, match=r"cannot be read: .*manifest\.json"):
            load_run(tmp_path, RUN_ID)
        (info,) = list_runs(tmp_path)
        assert (info.complete, len(info.problems)) == (False, 1)


def test_runs_are_listed(tmp_path: Path) -> None:
    write_run(tmp_path, sessions=2, emulated=True)
    with RunWriter(tmp_path, make_manifest("20261123T120000Z-000000", title={"en": "Indonesia"})) as writer:
        record = make_record(run_id=writer.run_id)
        writer.add_rows(record, make_rows(10))
    first, second = list_runs(tmp_path)
    assert (first.run_id, first.verdict, first.emulated, first.sessions, first.complete) == (
        RUN_ID,
        "pass",
        True,
        2,
        True,
    )
    assert (first.country, first.started_at, first.problems) == ("ID", "2026-11-22T12:00:00+00:00", ())
    assert (second.verdict, second.sessions, second.complete, second.title) == (
        None,
        1,
        False,
        {"en": "Indonesia"},
    )


def test_a_run_killed_between_sessions_is_not_complete(tmp_path: Path) -> None:
    with RunWriter(tmp_path, make_manifest(sessions_planned=2)) as writer:
        writer.finish_session(make_record())
    assert [info.complete for info in list_runs(tmp_path)] == [False]


@pytest.mark.slow
def test_sessions_of_other_runs_newest_first(tmp_path: Path) -> None:
    ids = [f"2026112{day}T120000Z-00000{day}" for day in range(5)]
    for run_id in ids:
        write_run(tmp_path, run_id, window="peak" if run_id != ids[2] else "offpeak")
    write_run(tmp_path, "20261123T130000Z-ffffff", node="other")
    shutil.rmtree(tmp_path / "runs" / ids[1] / "sessions")

    def found(before: str, limit: int, **more: Any) -> list[tuple[str, int]]:
        sessions = find_sessions(
            tmp_path, country="ID", vendor="alpha", node="jkt-1", before=before, limit=limit, **more
        )
        assert all(len(session.rows) == 600 for session in sessions)
        return [(session.record.run_id, session.record.index) for session in sessions]

    assert found("2026-11-24T12:00:00Z", 3) == [(ids[3], 1), (ids[3], 0), (ids[2], 1)]
    assert found("2026-11-20T12:00:01Z", 9) == [(ids[0], 0)]
    assert found("2026-11-20T12:00:00Z", 9) == []
    assert found("2026-11-30T00:00:00Z", 0) == []
    offpeak = found("2026-11-24T12:00:00Z", 1, where=lambda record: record.window == "offpeak")
    assert offpeak == [(ids[2], 1)]
    assert len(found("2026-11-21T13:00:00Z", 9)) == 4  # two of them put together from segments
    with pytest.raises(ValueError, match="zone"):
        found("2026-11-24T12:00:00", 1)


def test_a_document_with_words_for_numbers_is_told(tmp_path: Path) -> None:
    write_run(tmp_path)
    path = tmp_path / "runs" / RUN_ID / "sessions" / "1.json"
    path.write_text(path.read_text().replace('"packets": 1500', '"packets": "many"'))
    run = load_run(tmp_path, RUN_ID)
    assert run.problems == [f"{path} holds a damaged session record: its packets is no int"]
    assert [session.complete for session in run.sessions] == [True, False]
