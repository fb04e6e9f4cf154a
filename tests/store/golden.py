"""Writes the golden store of a schema version: python -m tests.store.golden FOLDER. Done once a version.

Two runs of a minute, small: one in files of its own with a killed session, one compacted. `expected.json` holds
what any later version must read in them.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from probe.records import Json
from probe.store.hours import hours_from_histograms
from probe.store.reader import load_run
from probe.store.tidying import tidy
from probe.store.writer import RunWriter
from tests.store.killing import NOW
from tests.store.samples import make_manifest, make_record, make_rows

COMPACTED, PLAIN = "20261121T120000Z-bbbbbb", "20261122T120000Z-ab12cd"


def write(root: Path) -> None:
    _run(root, COMPACTED)
    tidy(root, lambda _: None, NOW)
    _run(root, PLAIN)
    (root / "runs" / PLAIN / "sessions" / "1.json").unlink()
    (root / "expected.json").write_text(json.dumps(expected(root), indent=1) + "\n")


def _run(root: Path, run_id: str) -> None:
    with RunWriter(root, make_manifest(run_id, sessions_planned=2)) as writer:
        for index in (0, 1):
            record = make_record(index, run_id=run_id, vantage="jkt-telkomsel", counters={"received": 54})
            writer.add_rows(record, make_rows(30, interval_ns=200_000_000, streams=2))
            writer.finish_session(record)


def expected(root: Path) -> Json:
    runs: dict[str, Any] = {}
    for run_id in (COMPACTED, PLAIN):
        run = load_run(root, run_id)
        runs[run_id] = {
            "problems": run.problems,
            "sessions": [
                {
                    "record": session.record.to_json(),
                    "complete": session.complete,
                    "rows": len(session.rows),
                    "columns": {
                        name: hashlib.sha256(session.rows[name].tobytes()).hexdigest()[:16]
                        for name in session.rows.dtype.names or ()
                    },
                }
                for session in run.sessions
            ],
        }
    hours = [
        [row.country, row.vendor, row.local_hour, row.n, row.lost] for row in hours_from_histograms(root)[0]
    ]
    return {"runs": runs, "hours": hours}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    os.sync()
