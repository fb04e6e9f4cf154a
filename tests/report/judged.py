"""One judged run with every verdict in it, and names that try to be markup."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

from probe.analysis.assess import assess
from probe.analysis.results import Assessment, Judgement
from probe.metrics import Rows
from probe.records import Json, SessionRecord
from tests.analysis.made import noisy, record

HOSTILE = '<b onclick="x">&|`beta'
MANIFEST: Json = {
    "run_id": record().run_id,
    "country": "ID",
    "title": {"en": "Indonesia <script>"},
    "started_at": "2026-11-22T12:00:00+00:00",
    "emulated": True,
    "vantage": None,
    "thresholds": [],
    "evidence": {"min_packets": 100},
}


class Stored(NamedTuple):
    record: SessionRecord
    rows: Rows


def judgement(verdict: str, expr: str = "rtt.p95 < 200ms", line: int = 41, **changes: object) -> Judgement:
    cell = {"vendor": "alpha", "node": "jkt-1", "scenario": "voice", "window": "peak"}
    base = Judgement(expr, cell, 243.2, "ms", 1500, verdict, "gate", {"code": "beyond_limit"}, 231.0, 260.0)
    place: dict[str, object] = {"file": "plans/indonesia.yaml", "line": line}
    return replace(base, **(place | changes))  # type: ignore[arg-type]


@cache
def judged() -> Assessment:
    """Sessions as measured, thresholds as wanted: the outputs are tested here, not the judging."""
    sessions = [
        Stored(record(index=0), noisy(600, 1)),
        Stored(record(index=1, window="offpeak"), noisy(600, 2, loss=0)),
        Stored(record(index=2, vendor=HOSTILE), noisy(600, 3, loss=0.3)),
        Stored(record(index=3), noisy(600, 4)),
    ]
    cell = {"vendor": HOSTILE, "node": "jkt-1", "scenario": "voice", "window": "peak"}
    thresholds = (
        judgement("pass"),
        judgement("fail", scope=cell),
        judgement("fail", scope=cell),
        judgement("inconclusive", "up.loss < 1%", 42, unit="%", value=None, low=None, high=None),
        judgement("not_measured", "connect.p50 < 1s", 43, value=None, low=None, high=None),
        judgement("fail", "down.loss < 1%", 44, unit="%", severity="warn"),
        judgement("pass", "rtt.p50 < 1s", 45, value=None, infinite=("value",)),
    )
    found = assess(MANIFEST, sessions)
    return replace(found, verdict="fail", exit_code=99, thresholds=thresholds)
