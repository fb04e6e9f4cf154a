"""The folders that tc reads delay tables from."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from probe.impairment.profile import Impairment, Table
from probe.net.tc import tables_for

OWN = Impairment(20_000_000, 5_000_000, Table("mine", (-8192, 0, 16384)))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_table_of_ones_own_is_a_file_that_tc_finds(temporary: Path) -> None:
    assert tables_for([Impairment(20_000_000, 5_000_000)]) is None
    folder = tables_for([OWN])
    assert folder is not None
    assert Path(folder.name, "mine.dist").read_text().split() == ["-8192", "0", "16384"]
    folder.cleanup()
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_what_a_killed_process_left_is_removed_by_the_next(temporary: Path) -> None:
    script = (
        "import os, signal, tempfile; from tests.net.test_tc import OWN, tables_for; "
        f"tempfile.tempdir = {str(temporary)!r}; folder = tables_for([OWN]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[2])
    (left,) = temporary.iterdir()
    assert list(left.glob("mine.dist"))
    stranger = temporary / f"probe-tc-{os.getppid()}-x"
    stranger.mkdir()
    folder = tables_for([OWN])
    assert folder is not None
    assert sorted(temporary.iterdir()) == sorted([Path(folder.name), stranger])
    folder.cleanup()
