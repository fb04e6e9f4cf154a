"""`probe doctor` on this machine: real packets, one document, an exit code that is the grade's."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.nodes import probe

pytestmark = pytest.mark.net

NAMES = [
    *("stamps", "lateness", "calls", "buffers", "namespaces", "netem"),
    *("connectors", "privileges", "clock", "processors", "ipv6"),
]


def test_it_measures_itself(tmp_path: Path) -> None:
    told = probe("doctor", "--json", cwd=tmp_path)
    document = json.loads(told.stdout)
    assert told.returncode == document["exit_code"] == (0 if document["grade"] != "invalid" else 3)
    checks = {check["name"]: check for check in document["checks"]}
    assert list(checks) == NAMES
    assert all(check["status"] == ("lack" if check["lacks"] else "ok") for check in checks.values())
    assert all(lack["remedy"] for check in checks.values() for lack in check["lacks"])
    late = checks["lateness"]["facts"]
    assert late["scheduled"] == 500
    assert 0 < late["n"] == late["sent"] <= 500
    assert late["lost"] == 0
    if sys.platform == "linux":
        assert set(checks["stamps"]["facts"]["stamps"].values()) == {"kernel"}
    assert list(tmp_path.iterdir()) == []
