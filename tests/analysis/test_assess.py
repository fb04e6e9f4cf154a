"""A run's verdict and exit code."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from probe.analysis.assess import assess, assess_summaries, run_verdict
from probe.analysis.results import Assessment, Judgement, SessionSummary
from probe.metrics import Rows, empty_rows
from probe.objectives import Evidence, Threshold, parse_expression
from probe.records import SessionRecord
from tests.analysis.made import record, scattered, steady, summary


class Stored(NamedTuple):
    record: SessionRecord
    rows: Rows


def manifest(*thresholds: str, severity: str = "gate", **more: Any) -> dict[str, Any]:
    asked = [Threshold(parse_expression(text), severity).to_json() for text in thresholds]
    return {
        "run_id": record().run_id,
        "emulated": True,
        "vantage": None,
        "thresholds": asked,
        "evidence": Evidence().to_json(),
        **more,
    }


def judgement(verdict: str, severity: str = "gate") -> Judgement:
    return Judgement("loss < 1%", {}, None, "%", 0, verdict, severity, {"code": "x"})


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["pass", "inconclusive", "not_measured", "fail"], "fail"),
        (["pass", "inconclusive", "not_measured"], "not_measured"),
        (["pass", "inconclusive"], "inconclusive"),
        (["pass"], "pass"),
        ([], "not_measured"),
    ],
)
def test_precedence(verdicts: list[str], expected: str) -> None:
    assert run_verdict([judgement(verdict) for verdict in verdicts]) == expected


def test_only_gates_count() -> None:
    assert (
        run_verdict([judgement("pass"), judgement("fail", "warn"), judgement("inconclusive", "info")])
        == "pass"
    )
    assert run_verdict([judgement("fail", "warn")]) == "pass"


UNREACHABLE = {"outcome": "unreachable", "connect_ms": None}
FAILED = {"outcome": "failed", "connect_ms": None, "error": {"code": "key_refused", "detail": ""}}


@pytest.mark.parametrize(
    ("threshold", "sessions", "verdict", "code"),
    [
        ("rtt.p95 < 200ms", [summary()], "pass", 0),
        ("rtt.p95 < 20ms", [summary()], "fail", 99),
        ("rtt.p95 < 200ms", [summary(steady(100))], "inconclusive", 4),
        ("rtt.p95 < 200ms", [summary(), summary(empty_rows(0), node="b", **UNREACHABLE)], "fail", 99),
        ("rtt.p95 < 200ms", [summary(), summary(empty_rows(0), node="b", **FAILED)], "not_measured", 3),
        ("rtt.p95 < 200ms", [summary(counters={"policed": 9})], "not_measured", 3),
        ("rtt.p95 < 20ms", [summary(outcome="interrupted")], "interrupted", 130),
        ("rtt.p95 < 200ms", [], "inconclusive", 4),
    ],
)
def test_exit_codes(threshold: str, sessions: list[SessionSummary], verdict: str, code: int) -> None:
    found = assess_summaries(manifest(threshold), sessions)
    assert (found.verdict, found.exit_code) == (verdict, code)


def test_a_run_cut_short_is_interrupted() -> None:
    def verdict(**more: Any) -> str:
        return assess_summaries(manifest(**more), [summary()]).verdict

    assert verdict() == "pass"
    assert verdict(interrupted=True) == "interrupted"
    assert verdict(sessions_planned=2) == "interrupted"
    assert verdict(sessions_planned=1) == "pass"
    assert assess_summaries(manifest(sessions_planned=2), [summary()], interrupted=False).verdict == "pass"


def test_everything_comes_from_stored_samples() -> None:
    sessions = [
        Stored(record(index=0), steady()),
        Stored(record(index=1, window="offpeak"), steady(1000, 30, 41)),
        Stored(record(index=2, vendor="beta", transport="quic-stream"), scattered(1000, 80)),
    ]
    history = [Stored(record(run_id="earlier", window="offpeak"), steady()), sessions[0]]
    found = assess(manifest("loss < 1%", "rtt.p95 < 75ms"), sessions, history)
    assert isinstance(found, Assessment)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["verdict"] == "fail"
    assert list(document) == [
        *("schema_version", "run_id", "verdict", "exit_code", "emulated", "vantage"),
        *("sessions", "thresholds", "peak", "quality", "hours", "claims"),
    ]
    assert (len(document["sessions"]), len(document["thresholds"])) == (3, 8)
    row = next(row for row in document["peak"] if row["metric"] == "rtt.p95" and row["vendor"] == "alpha")
    assert (row["n_peak"], row["n_offpeak"], row["verdict"]) == (1000, 2000, "inconclusive")
    assert document["quality"] == {"grade": "good", "reasons": []}


def test_the_runs_quality_is_its_worst_sessions() -> None:
    sessions = [
        summary(),
        summary(counters={"policed": 1}),
        summary(counters={"policed": 1}),
        summary(empty_rows(0), **FAILED),
    ]
    assert assess_summaries(manifest(), sessions).quality == {
        "grade": "invalid",
        "reasons": [
            {"code": "policed", "grade": "degraded", "sessions": 2},
            {"code": "our_side", "grade": "invalid", "sessions": 1},
        ],
    }
