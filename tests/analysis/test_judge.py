"""Thresholds on cells: every verdict, with its reason."""

from __future__ import annotations

from typing import Any

import pytest

from probe.analysis.judge import judge
from probe.analysis.results import Judgement, SessionSummary
from probe.metrics import empty_rows
from probe.objectives import Evidence, Threshold, parse_expression
from probe.records import Json
from tests.analysis.made import MS, NODE_AHEAD, S, about, crossings, scattered, steady, summary

EVIDENCE = Evidence()


def ask(text: str, scope: dict[str, Any] | None = None, severity: str = "gate") -> Threshold:
    return Threshold(parse_expression(text), severity, scope or {}, "plan.yaml", 3)


def judged(
    text: str, *sessions: SessionSummary, scope: dict[str, Any] | None = None, evidence: Evidence = EVIDENCE
) -> list[Judgement]:
    """The threshold's own judgements, without the implicit gate."""
    found = judge([ask(text, scope)], evidence, sessions)
    return [judgement for judgement in found if judgement.file == "plan.yaml"]


def one(text: str, *sessions: SessionSummary, **options: Any) -> Judgement:
    (found,) = judged(text, *sessions, **options)
    return found


def unreachable(**changes: Any) -> SessionSummary:
    return summary(empty_rows(0), **({"outcome": "unreachable", "connect_ms": None} | changes))


@pytest.mark.parametrize(
    ("text", "n", "verdict", "value", "code"),
    [
        ("rtt.p95 < 71ms", 1000, "pass", 70.0, "within_limit"),
        ("rtt.p95 < 70ms", 1000, "fail", 70.0, "beyond_limit"),
        ("rtt.p95 <= 70ms", 1000, "pass", 70.0, "within_limit"),
        ("latency.max < 0.07s", 1000, "fail", 70.0, "beyond_limit"),
        ("rtt.p95 < 71ms", 499, "inconclusive", 70.0, "too_few_packets"),
        ("rtt.p95 < 71ms", 500, "inconclusive", 70.0, "one_block"),
        ("rtt.p95 < 71ms", 800, "pass", 70.0, "within_limit"),
        ("rtt.p99.9 < 71ms", 2994, "inconclusive", 70.0, "below_resolution"),
        ("rtt.p99.9 < 71ms", 9000, "pass", 70.0, "within_limit"),
        ("loss < 1%", 1000, "pass", 0.0, "within_limit"),
        ("loss < 0.1%", 1000, "inconclusive", 0.0, "straddles_limit"),
        ("up.jitter.max < 1ms", 1000, "pass", 0.0, "within_limit"),
        ("down.pdv.p99 < 1ms", 1000, "pass", 0.0, "within_limit"),
        ("up.recovery.p95 < 150ms", 1000, "inconclusive", None, "nothing_lost"),
        ("up.recovered > 90%", 1000, "inconclusive", None, "nothing_lost"),
        ("connect.max < 200ms", 1000, "pass", 120.0, "within_limit"),
        ("connect.p95 < 200ms", 1000, "inconclusive", 120.0, "below_resolution"),
        ("handshake.p50 < 200ms", 1000, "inconclusive", None, "no_coverage"),  # UDP has none
    ],
)
def test_verdicts(text: str, n: int, verdict: str, value: float | None, code: str) -> None:
    found = one(text, summary(steady(n)))
    assert (found.verdict, found.reason["code"]) == (verdict, code)
    assert found.value == pytest.approx(value) if value is not None else found.value is None


@pytest.mark.parametrize(
    ("text", "verdict", "code"),
    [
        ("loss < 3%", "fail", "beyond_limit"),
        ("loss < 10%", "pass", "within_limit"),
        ("loss < 5%", "inconclusive", "straddles_limit"),
        ("up.residual < 1%", "fail", "beyond_limit"),
        ("rtt.p95 < 200ms", "inconclusive", "straddles_limit"),
        ("rtt.p90 < 200ms", "pass", "within_limit"),
        ("up.recovery.p50 < 200ms", "fail", "infinite"),
        ("up.recovery.p95 < 200ms", "fail", "infinite"),
        ("up.recovered > 50%", "fail", "beyond_limit"),
        ("down.worst_loss_200ms < 10%", "pass", "within_limit"),
        ("up.worst_loss_200ms < 10%", "inconclusive", "coarse_window"),
        ("up.worst_loss_15s < 1%", "fail", "beyond_limit"),
        ("up.worst_jitter_15s < 1ms", "pass", "within_limit"),
    ],
)
def test_verdicts_on_loss(text: str, verdict: str, code: str) -> None:
    found = one(text, summary(scattered(1000, 60)))
    assert (found.verdict, found.reason["code"]) == (verdict, code)


def test_an_infinite_value_is_null_and_says_so() -> None:
    found = one("rtt.p95 < 200ms", summary(scattered(1000, 120)))
    assert (found.value, found.infinite) == (None, ("value", "low", "high"))
    assert found.reason == {"code": "infinite", "lost": 120, "n": 1000}


def test_a_judgement_says_all_that_the_contract_asks() -> None:
    document = one("loss < 1%", summary(duration_ns=20 * S), scope={"network": "clean"}).to_json()
    cell = {"vendor": "alpha", "node": "jkt-1", "scenario": "voice", "network": "clean"}
    assert document == {
        "expr": "loss < 1%",
        "scope": cell | {"window": "peak", "transport": "udp"},
        "value": 0.0,
        "unit": "%",
        "low": 0.0,
        "high": about(0.7649678745832248),
        "n": 1000,
        "n_eff": 1000,
        "blocks": 2,
        "sessions": 1,
        "days": 1,
        "counted_in": "block",
        "verdict": "pass",
        "severity": "gate",
        "reason": {"code": "within_limit"},
        "attribution": None,
        "hours": None,
        "file": "plan.yaml",
        "line": 3,
        "infinite": [],
    }


def test_sessions_of_a_cell_are_one_sample() -> None:
    fast, slow = steady(950, 30, 40), steady(1000, 130, 140)
    alone = one("rtt.p50 < 100ms", summary(fast))
    both = one("rtt.p50 < 100ms", summary(fast), summary(slow))
    assert (alone.verdict, alone.n) == ("pass", 950)
    assert (both.verdict, both.n, both.value, both.sessions) == ("inconclusive", 1950, 270, 2)
    many = one("rtt.p50 < 100ms", *(summary(slow) for _ in range(15)), summary(fast))
    assert (many.verdict, many.counted_in, many.sessions) == ("fail", "session", 16)


def test_every_cell_is_judged_apart() -> None:
    sessions = [
        summary(),
        summary(window="offpeak"),
        summary(transport="quic-stream"),
        summary(network="lossy-3g"),
        summary(vendor="beta"),
    ]
    assert len(judged("loss < 1%", *sessions)) == 5
    assert len(judged("loss < 1%", *sessions, scope={"window": ["offpeak"]})) == 2  # beta: no coverage
    assert len(judged("connect.max < 1s", *sessions)) == 2


def test_no_coverage_never_passes() -> None:
    found = one("loss < 1%", summary(window="offpeak"), scope={"window": "peak"})
    assert (found.verdict, found.reason, found.n) == ("inconclusive", {"code": "no_coverage"}, 0)
    assert found.scope == {"vendor": "alpha", "node": "jkt-1", "window": "peak"}
    found = one("loss < 1%", summary(), scope={"vendor": "gamma"})
    assert (found.verdict, found.scope) == ("inconclusive", {"vendor": "gamma"})
    assert one("loss < 1%").reason == {"code": "no_coverage"}


def test_a_threshold_for_another_vantage_is_not_this_runs() -> None:
    assert judged("loss < 1%", summary(vantage="jkt"), scope={"vantage": "sgp"}) == []
    assert one("loss < 1%", summary(vantage="sgp"), scope={"vantage": "sgp"}).verdict == "pass"
    assert one("loss < 1%", summary(), scope={"vantage": "sgp"}).reason["code"] == "no_coverage"


def test_metrics_a_session_cannot_have_are_not_held_against_it() -> None:
    live = summary(one_way=True, scenario="live")
    (found,) = judged("rtt.p95 < 200ms", summary(), live)
    assert found.scope["scenario"] == "voice"
    assert one("rtt.p95 < 200ms", live).reason["code"] == "no_coverage"


def test_an_invalid_measurement_fails_nobody() -> None:
    lossy = summary(steady(1000, lost_up=500), counters={"policed": 400})
    found = one("loss < 1%", lossy)
    assert (found.verdict, found.reason["code"], found.value) == ("not_measured", "invalid_measurement", None)
    assert [reason["code"] for reason in found.reason["reasons"]] == ["policed", "lost_to_us"]
    mixed = one("loss < 1%", summary(), lossy)
    assert (mixed.verdict, mixed.n, mixed.reason) == ("pass", 1000, {"code": "within_limit", "set_aside": 1})


def test_our_own_failure_is_not_measured() -> None:
    failed = unreachable(
        outcome="failed", error={"code": "key_refused", "detail": "the node refused our key"}
    )
    for text in ("loss < 1%", "reachable >= 100%", "connect.max < 1s"):
        found = one(text, failed)
        assert (found.verdict, found.reason["code"]) == ("not_measured", "our_side")
    assert found.reason["error"]["code"] == "key_refused"


CONTROL: dict[str, Any] = {"vendor": "control", "node": "own-sg-1", "role": "control"}
LATER = "2026-11-22T12:30:00+00:00"


@pytest.mark.parametrize("outcome", ["unreachable", "died"])
def test_who_is_to_blame_for_silence(outcome: str) -> None:
    def verdict(*controls: SessionSummary) -> tuple[str, Json]:
        found = one("reachable >= 100%", summary(), unreachable(outcome=outcome), *controls)
        return found.verdict, found.reason

    counted = {"sessions": 2, "unreachable": 0, "died": 0} | {outcome: 1}
    assert verdict() == ("fail", {"code": "not_reachable", "controls": []} | counted)
    answered = summary(**CONTROL)
    assert verdict(answered) == ("fail", {"code": "not_reachable", "controls": ["own-sg-1"]} | counted)
    assert verdict(unreachable(**CONTROL), answered)[0] == "fail"
    assert verdict(unreachable(**CONTROL)) == ("pass", {"code": "within_limit", "set_aside": 1})
    then = unreachable(**CONTROL)  # what counts is the control of the same minutes
    assert verdict(then, summary(**CONTROL, started_at=LATER))[0] == "pass"
    assert verdict(summary(**CONTROL, started_at=LATER))[0] == "fail"


def test_all_down_is_not_measured() -> None:
    (found,) = judge([], EVIDENCE, [unreachable(), unreachable(**CONTROL)])
    assert (found.expr, found.verdict) == ("reachable >= 100%", "not_measured")
    assert found.reason == {"code": "controls_down", "controls": ["own-sg-1"]}
    found = one("rtt.p95 < 200ms", unreachable())
    assert (found.verdict, found.reason["code"]) == ("not_measured", "unreachable")


def test_unreachable_counts_as_infinite_to_connect() -> None:
    found = one("connect.p50 < 1s", summary(), *(unreachable() for _ in range(9)))
    assert (found.verdict, found.n, found.infinite) == ("fail", 10, ("value", "low", "high"))
    few = one("connect.p50 < 1s", summary(), unreachable(), unreachable())
    assert few.reason["code"] == "below_resolution"


def test_handshake_is_quics() -> None:
    quic = summary(transport="quic-datagram", handshake_ms=80.0)
    found = one("handshake.max < 100ms", summary(), quic)
    assert (found.verdict, found.n, found.value) == ("pass", 1, 80.0)
    gone = [unreachable(transport="quic-stream") for _ in range(9)]
    found = one("handshake.p50 < 1s", quic, *gone)
    assert (found.verdict, found.n) == ("fail", 10)


def test_reachable_is_implicit_once_for_each_node_not_asked_about() -> None:
    alpha, beta = summary(), unreachable(vendor="beta")
    both = judge([], EVIDENCE, [alpha, beta, summary(**CONTROL)])
    assert [(j.scope["vendor"], j.verdict, j.severity) for j in both] == [
        ("alpha", "pass", "gate"),
        ("beta", "fail", "gate"),
    ]
    asked = judge([ask("reachable >= 50%", {"vendor": "alpha"}, "warn")], EVIDENCE, [alpha, beta])
    assert [(j.scope["vendor"], j.verdict, j.severity) for j in asked] == [
        ("alpha", "pass", "warn"),
        ("beta", "fail", "gate"),
    ]


def test_controls_are_never_judged() -> None:
    found = judge([ask("loss < 1%")], EVIDENCE, [summary(), summary(**CONTROL)])
    assert {judgement.scope["vendor"] for judgement in found} == {"alpha"}


def test_against_the_control_of_the_same_cell() -> None:
    near = summary(steady(1000, 20, 30), **CONTROL)
    other = summary(steady(1000, 1, 1), **CONTROL, network="lossy-3g")
    found = one("vs_control(rtt.p50) < 30ms", summary(), near, other)
    assert (found.verdict, found.value, found.unit) == ("pass", about(20), "ms")
    assert one("vs_control(rtt.p50) < 20ms", summary(), near).verdict == "fail"
    assert one("vs_control(rtt.p50) < 20ms", summary()).reason["code"] == "control_missing"
    few = summary(steady(10), **CONTROL)
    assert one("vs_control(rtt.p50) < 20ms", summary(), few).reason["code"] == "control_without_data"
    too_few = one("vs_control(rtt.p50) < 20ms", summary(steady(10)), near)
    assert (too_few.verdict, too_few.value) == ("inconclusive", None)
    lossy = summary(steady(1000, lost_up=600), **CONTROL)
    assert one("vs_control(rtt.p50) < 20ms", summary(), lossy).reason["code"] == "control_infinite"


def test_the_evidence_rule_counts_packets_not_losses() -> None:
    lost = set(range(0, 2000, 20))
    rows = crossings([None if at in lost else 30.0 for at in range(2000)], [40.0] * 2000)
    at = sorted(lost)
    rows["up_repaired_ns"][at] = rows["sent_ns"][at] + NODE_AHEAD + 90 * MS
    found = one("up.recovery.p90 < 150ms", summary(rows))
    assert (found.verdict, found.n, found.value) == ("pass", 100, 60)
    strict = one("up.recovery.p95 < 150ms", summary(rows), evidence=Evidence(min_packets=3000))
    more = {"unit": "minute", "n": 1}
    assert strict.reason == {"code": "too_few_packets", "n": 2000, "min_packets": 3000, "more": more}


def test_among_many_gates_one_may_fail_by_luck() -> None:
    rows = scattered(1000, 45)
    alone = one("loss < 3.2%", summary(rows), evidence=Evidence(confidence=0.9))
    assert alone.verdict == "fail"
    gates = [ask(f"loss < {limit}%") for limit in (3.2, *range(20, 60))]
    found = judge(gates, Evidence(confidence=0.9), [summary(rows)])
    assert (found[0].verdict, found[0].reason["code"]) == ("inconclusive", "among_many")
    assert found[0].reason["gates"] == 41


def test_what_would_decide_is_told() -> None:
    found = one("loss < 5%", summary(scattered(1000, 60)))
    assert found.reason["more"]["unit"] == "minute"
    days = [
        summary(
            steady(1000, lost_up=n),
            local_time=f"2026-11-{10 + n}T19:30:00+07:00",
            started_at=f"2026-11-{10 + n}T12:30:00+00:00",
        )
        for n in range(6)
        for _ in range(2)
    ]
    found = one("loss < 0.3%", *days)
    assert (found.counted_in, found.days, found.sessions) == ("day", 6, 12)
    assert (found.verdict, found.reason["more"]["unit"]) == ("inconclusive", "evening")


def test_few_independent_packets_are_not_enough_for_a_p99() -> None:
    """1000 packets, but they exceed the level together: in one of two blocks."""
    slow = [300.0 if 500 <= at < 540 else 30.0 for at in range(1000)]
    found = one("rtt.p99 < 900ms", summary(crossings(slow, [40.0] * 1000)))
    assert (found.verdict, found.reason["code"]) == ("inconclusive", "too_few_independent")
    assert found.reason["min_n"] == 299
    assert one("rtt.p99 < 900ms", summary(steady(298)), evidence=Evidence(min_packets=1)).reason == {
        "code": "below_resolution",
        "aggregate": "p99",
        "n": 298,
        "min_n": 299,
        "of": "packets",
    }


def test_whose_fault_it_is() -> None:
    slow = steady(1000, 150, 150)
    bad = one("rtt.p95 < 200ms", summary(slow))
    assert (bad.verdict, bad.attribution) == ("fail", {"whose": "unknown"})
    vendor = one("rtt.p95 < 200ms", summary(slow), summary(**CONTROL))
    assert vendor.verdict == "fail"
    assert vendor.attribution == {"whose": "vendor", "controls": ["own-sg-1"], "control": 70.0, "sessions": 1}
    later = one("rtt.p95 < 200ms", summary(slow), summary(**CONTROL, started_at=LATER))
    assert later.attribution == {"whose": "unknown"}
    ours = one("rtt.p95 < 200ms", summary(slow), summary(slow, **CONTROL))
    assert (ours.verdict, ours.reason["code"]) == ("not_measured", "own_side")
    theirs = one("rtt.p95 < 200ms", summary(), summary(slow, **CONTROL))
    assert theirs.attribution is not None
    assert (theirs.verdict, theirs.attribution["whose"]) == ("pass", "control_fault")
    evening, night = judged("rtt.p95 < 200ms", summary(slow), summary(window="offpeak"), summary(**CONTROL))
    assert evening.attribution is not None
    assert (evening.attribution["whose"], night.verdict) == ("vendor_evening", "pass")
