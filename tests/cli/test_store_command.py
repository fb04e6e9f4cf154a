"""`probe store ...` as people and scripts call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from probe.cli import app
from probe.cli.failures import execute
from probe.store.writer import RunWriter
from tests.store.samples import RUN_ID, make_manifest, make_record, make_rows, parquet_files
from tests.store.test_reader import write_run

PLACES = [{"name": "jkt", "isp": "telkomsel", "city": "Jakarta"}, {"name": "sby", "isp": "xl"}]


def run(root: Path, *arguments: str) -> int:
    return execute(app, ["store", *arguments, "--results", str(root)])


def write(root: Path, run_id: str, vantage: str, **plan: object) -> None:
    plans = {"plan": {"plan": {"vantages": PLACES, "store": {"path": "results", **plan}}}}
    with RunWriter(root, make_manifest(run_id, **plans)) as writer:
        for index in range(6):
            record = make_record(index, run_id=run_id, vantage=vantage)
            writer.add_rows(record, make_rows(9 + index))
            writer.finish_session(record)


def test_compact_check_and_compact_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path)
    assert run(tmp_path, "compact") == 0
    assert capsys.readouterr().out == "Wrote 2 compacted files, removed 8 files.\n"
    assert run(tmp_path, "check") == 0
    assert capsys.readouterr().out == "Read 1200 packets of 2 sessions in 1 run, 1 file: all is well.\n"
    assert run(tmp_path, "compact", "--json") == 0
    assert json.loads(capsys.readouterr().out)["files_written"] == 0
    assert run(tmp_path, "compact", "--keep-raw", "14") == 2
    assert "'14' has no unit" in capsys.readouterr().err
    assert run(tmp_path, "compact", "--keep-raw", "0s") == 2
    assert "a day at least" in capsys.readouterr().err


@pytest.mark.slow
def test_each_plan_says_how_long_its_packets_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "20200101T120000Z-aaaaaa", "jkt", keep_raw="14d")
    write(tmp_path, "20200102T120000Z-bbbbbb", "jkt")
    for path in parquet_files(tmp_path):  # as if they had been measured then
        old = path.parent.with_name("date=2020-01-01")
        old.mkdir(exist_ok=True)
        path.rename(old / path.name)
    assert run(tmp_path, "compact") == 0
    assert "Removed 69 packet records of 6 sessions that were older than keep_raw" in capsys.readouterr().out
    assert execute(app, ["report", "20200101", "--results", str(tmp_path)]) != 1
    assert "were removed (keep_raw)" in capsys.readouterr().err


@pytest.mark.slow
def test_damage_is_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path)
    parquet_files(tmp_path)[0].write_bytes(b"PAR1")
    assert run(tmp_path, "check") == 3
    assert "damaged: " in capsys.readouterr().out
    assert run(tmp_path, "check", "--json") == 3
    assert json.loads(capsys.readouterr().out)["findings"][0]["kind"] == "damage"
    assert run(tmp_path / "nothing", "check") == 2


@pytest.mark.slow
def test_the_catalogue_is_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path)
    assert run(tmp_path, "catalogue") == 0
    assert capsys.readouterr().out.startswith("Catalogued 1 run, 2 sessions, 6 segments and 2 histograms, 0.")
    parquet_files(tmp_path)[0].with_name("compact-0123456789abcdef.parquet").write_bytes(b"PAR1")
    assert run(tmp_path, "catalogue") == 0
    assert "Left out, with something damaged in it: 1 folder." in capsys.readouterr().out
    assert run(tmp_path, "catalogue", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["runs"], told["sessions"], told["segments"], told["left_out"]) == (1, 2, 6, 1)
    assert run(tmp_path / "nothing", "catalogue") == 2


def test_export_wants_one_format_and_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path)
    target = str(tmp_path / "out.csv")
    assert run(tmp_path, "export", RUN_ID, "-o", target) == 2
    assert run(tmp_path, "export", RUN_ID, "--csv", "-o", target) == 0
    assert capsys.readouterr().out == f"Wrote 1200 packets to {target}.\n"
    assert run(tmp_path, "export", RUN_ID, "--csv", "-o", target) == 2
    assert "--force replaces it" in capsys.readouterr().err


@pytest.mark.slow
def test_two_machines_in_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    write(mine, "20261121T120000Z-aaaaaa", "jkt")
    write(theirs, "20261121T120000Z-bbbbbb", "sby")
    assert run(mine, "import", str(theirs)) == 0
    assert "Imported 1 new run, 6 segments" in capsys.readouterr().out
    assert run(mine, "import", str(theirs)) == 0
    assert "Nothing new" in capsys.readouterr().out
    assert execute(app, ["runs", "--quiet", "--results", str(mine)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert run(mine, "vantages") == 0
    shown = capsys.readouterr().out
    assert "jkt (telkomsel, Jakarta)" in shown
    assert "sby (xl)" in shown
    assert "Asia/Jakarta" in shown
    assert run(mine, "vantages", "--json") == 0
    rows = json.loads(capsys.readouterr().out)["vantages"]
    assert [(row["vantage"]["isp"], row["sessions"]) for row in rows] == [("telkomsel", 6), ("xl", 6)]
    for more in ((), ("--exact",)):
        assert run(mine, "hours", "--json", *more) == 0
        assert json.loads(capsys.readouterr().out)["hours"][0]["n"] == 138
        assert run(mine, "hours", *more) == 0
        assert "138" in capsys.readouterr().out
