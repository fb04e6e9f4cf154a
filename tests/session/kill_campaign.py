"""Kill a campaign at random moments and go on with it; in the end sessions and packets must add up.

    python -m tests.session.kill_campaign [KILLS]

does it twenty times with sessions of 7 s, in about five minutes.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from probe.records import COMPLETED, INTERRUPTED
from probe.session.upkeep import fates_add_up
from probe.store.check import DAMAGE, check
from probe.store.reader import load_run
from tests.session.short_campaign import PLAN

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Counted:
    """What was found in the store. `kills` hit a living process."""

    kills: int
    campaigns: int
    planned: int
    done: int
    missed: int
    outcomes: Counter[str]
    packets: int


def kill_and_go_on(folder: Path, *, kills: int, speed: float, longest_s: float, seed: int = 5) -> Counted:
    """Begin, kill after up to `longest_s`, go on, and at last let it end. Asserts that everything adds up."""
    chance = random.Random(seed)
    hit = 0
    for _ in range(kills):
        process = _begin(folder, speed)
        time.sleep(chance.uniform(0.5, longest_s))
        hit += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = _begin(folder, speed)
    said, wrong = process.communicate(timeout=600)
    assert process.returncode == 0, wrong
    *_, last = said.splitlines()
    word, *numbers = last.split()
    done, missed, to_come = map(int, numbers)
    assert (word, to_come) == ("over", 0)
    return _counted(folder / "results", hit, done, missed)


def _begin(folder: Path, speed: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.session.short_campaign", str(folder), str(speed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )


def _counted(results: Path, hit: int, done: int, missed: int) -> Counted:
    folders = [path for path in (results / "runs").iterdir() if path.is_dir()]
    run = load_run(results, folders[0].name)
    assert run.problems == []
    assert done == len(run.sessions) == len({s.record.appointment for s in run.sessions})
    names = {item["index"]: item for item in run.manifest["diary"]}
    for session in run.sessions:
        record, rows = session.record, session.rows
        assert record.outcome in (COMPLETED, INTERRUPTED)
        assert record.node == names[record.index]["node"]
        assert len(np.unique(rows["seq"])) == len(rows)
        assert len(rows) <= record.packets
        if record.outcome == COMPLETED:
            assert len(rows) == record.packets
    found = check(results, fates_add_up)
    assert not [finding for finding in found.findings if finding.kind == DAMAGE]
    packets = sum(len(session.rows) for session in run.sessions)
    assert found.packets == packets
    outcomes = Counter(session.record.outcome for session in run.sessions)
    return Counted(hit, len(folders), len(names), done, missed, outcomes, packets)


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = PLAN.replace("duration: 1s", "duration: 7s").replace("repeat: 4", "repeat: 8")
        (folder / "plan.yaml").write_text(text)
        found = kill_and_go_on(folder, kills=kills, speed=130, longest_s=25.0, seed=1)
    sys.stdout.write(f"{found}\n")


if __name__ == "__main__":
    main()
