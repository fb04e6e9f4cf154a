"""A campaign is killed again and again: sessions and packets add up, nothing is doubled."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from probe.errors import ConfigError
from probe.plan.load import load_plan
from probe.records import COMPLETED, INTERRUPTED
from probe.session.campaign import CampaignOptions, open_campaign
from probe.store.reader import load_run
from probe.store.resume import only_writer
from tests.session.short_campaign import EPOCH, PLAN

ROOT = Path(__file__).parents[2]
KILLS = 6


def begin(folder: Path, speed: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.session.short_campaign", str(folder), str(speed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.net
def test_killed_again_and_again_it_adds_up(tmp_path: Path) -> None:
    chance = random.Random(5)
    for _ in range(KILLS):
        process = begin(tmp_path, 700)
        time.sleep(chance.uniform(1.0, 7.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = begin(tmp_path, 700)
    said, wrong = process.communicate(timeout=240)
    assert process.returncode == 0, wrong
    *_, last = said.splitlines()
    word, *numbers = last.split()
    done, missed, to_come = map(int, numbers)
    (folder,) = (tmp_path / "results" / "runs").iterdir()  # one campaign, however often it was begun
    run = load_run(tmp_path / "results", folder.name)
    assert run.problems == []
    assert (word, to_come, done + missed) == ("over", 0, len(run.manifest["diary"]))
    assert done == len(run.sessions) == len({s.record.appointment for s in run.sessions})
    names = {item["index"]: item for item in run.manifest["diary"]}
    for session in run.sessions:
        record, rows = session.record, session.rows
        assert record.outcome in (COMPLETED, INTERRUPTED)
        assert record.appointment is not None
        assert record.node == names[record.index]["node"]
        assert len(np.unique(rows["seq"])) == len(rows)
        if record.outcome == COMPLETED:
            assert len(rows) == record.packets == 50


def opened(
    tmp_path: Path, now: datetime, *, days: int = 3, seed: int = 1, max_rate: int | None = None
) -> str:
    (tmp_path / "plan.yaml").write_text(PLAN)
    loaded = load_plan(str(tmp_path / "plan.yaml"))
    options = CampaignOptions(tmp_path / "results", days, seed, max_rate=max_rate)
    return open_campaign(loaded, options, now).run_id


def test_the_same_plan_goes_on_with_the_same_campaign(tmp_path: Path) -> None:
    first = opened(tmp_path, EPOCH)
    assert opened(tmp_path, EPOCH + timedelta(days=2)) == first
    with pytest.raises(ConfigError, match=r"goes on until .* with --days 3"):
        opened(tmp_path, EPOCH, days=4)
    with pytest.raises(ConfigError, match="with --seed 1"):
        opened(tmp_path, EPOCH, seed=2)
    assert opened(tmp_path, EPOCH + timedelta(days=4)) != first  # that one is over


def test_two_processes_do_not_measure_one_campaign(tmp_path: Path) -> None:
    run_id = opened(tmp_path, EPOCH)
    with (
        only_writer(tmp_path / "results", run_id),
        pytest.raises(ConfigError, match="is being measured by another process"),
        only_writer(tmp_path / "results", run_id),
    ):
        pass


def test_a_rate_above_the_cap_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a session of 'voice' sends \d+ kbit/s to a node"):
        opened(tmp_path, datetime(2026, 11, 22, tzinfo=UTC), max_rate=1000)
    assert not (tmp_path / "results").exists()
