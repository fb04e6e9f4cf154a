"""A store of each schema version ever released stays readable, in all its kinds of files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from probe.analysis.assess import assess
from probe.analysis.results import PASS
from probe.errors import ConfigError
from probe.session.upkeep import fates_add_up
from probe.store.check import DAMAGE, check
from probe.store.documents import SCHEMA_VERSION
from probe.store.reader import load_run
from probe.store.tidying import tidy
from tests.store.golden import PLAIN, expected
from tests.store.killing import NOW

DATA = Path(__file__).parents[1] / "data"
VERSIONS = range(1, SCHEMA_VERSION + 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_it_reads_as_it_did(version: int, tmp_path: Path) -> None:
    root = tmp_path / "store"  # readers leave a catalogue behind
    shutil.copytree(DATA / f"store-v{version}", root)
    told = json.loads((root / "expected.json").read_text())
    now = expected(root)
    assert now["hours"] == told["hours"]
    for run_id, run in told["runs"].items():
        assert now["runs"][run_id]["problems"] == run["problems"] == []
        for then, today in zip(run["sessions"], now["runs"][run_id]["sessions"], strict=True):
            assert (then["rows"], then["complete"]) == (today["rows"], today["complete"])
            assert then["columns"].items() <= today["columns"].items()
            assert then["record"].items() <= today["record"].items()
    assert not [finding for finding in check(root, fates_add_up).findings if finding.kind == DAMAGE]


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_it_can_be_compacted(version: int, tmp_path: Path) -> None:
    root = tmp_path / "store"
    shutil.copytree(DATA / f"store-v{version}", root)
    told = expected(root)
    assert tidy(root, lambda _: None, NOW).problems == ()
    assert expected(root) == told


def test_a_newer_store_is_refused_with_a_sentence(tmp_path: Path) -> None:
    root = tmp_path / "store"
    shutil.copytree(DATA / "store-v1", root)
    for path in (root / "runs").rglob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))
    with pytest.raises(ConfigError, match=r"newer probe \(schema 2, this one reads up to 1\): update probe"):
        load_run(root, PLAIN)


def test_a_run_that_lost_its_thresholds_does_not_pass(tmp_path: Path) -> None:
    root = tmp_path / "store"
    shutil.copytree(DATA / "store-v1", root)
    (root / "runs" / PLAIN / "manifest.json").unlink()
    run = load_run(root, PLAIN)
    assert run.manifest["lost"]
    assert assess(run.manifest, run.sessions, interrupted=False).verdict != PASS
