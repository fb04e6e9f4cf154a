"""What is measured on: undecided gates, their controls, and only as long as there is time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from probe.plan.expand import NodeSchedule, SessionSpec, expand
from probe.session.extension import Round, next_round, repeated
from tests.plan.plan_text import load
from tests.report.samples import assessment, judgement

LANES = expand(load().plan, lambda _: "peak")
SECOND = 1_000_000_000


def found(*judgements: Any, open_now: bool = True) -> Round | None:
    def is_open(_: NodeSchedule, __: SessionSpec) -> bool:
        return open_now

    return next_round(2, 10 * SECOND, 60 * SECOND, assessment(thresholds=judgements), LANES, is_open)


def undecided(**changes: Any) -> Any:
    scope = {
        "vendor": "alpha",
        "node": "jkt-1",
        "scenario": "voice",
        "network": "clean",
        "window": "peak",
        "transport": "udp",
    }
    one = judgement("inconclusive", reason={"code": "straddles_limit", "more": {"unit": "minute", "n": 1}})
    return replace(one, scope=scope | changes)


def test_only_what_is_undecided_is_repeated() -> None:
    made = found(undecided(), judgement("pass"))
    assert made is not None
    assert (made.look, made.until_ns) == (2, 40 * SECOND)
    vendors = [lane for lane in made.lanes if lane.role == "vendor"]
    assert [(lane.vendor, lane.node.name) for lane in vendors] == [("alpha", "jkt-1")]
    assert [(s.scenario_name, s.network, s.transport) for s in vendors[0].sessions] == [
        ("voice", "clean", "udp")
    ]
    controls = [lane for lane in made.lanes if lane.role == "control"]
    assert all(s.transport == "udp" for lane in controls for s in lane.sessions)


def test_nothing_is_repeated_where_more_would_not_help() -> None:
    assert found(judgement("pass"), judgement("fail")) is None
    assert found(replace(undecided(), severity="warn")) is None
    assert found(replace(undecided(), reason={"code": "no_coverage"})) is None
    assert found(replace(undecided(), expr="peak_ratio(rtt.p95) < 2x")) is None
    assert found(undecided(vendor="gone")) is None
    assert found(undecided(), open_now=False) is None


def test_sessions_come_round_as_long_as_one_more_fits() -> None:
    clock = iter(range(0, 1000, 10))
    specs = [spec for lane in LANES for spec in lane.sessions if spec.scenario_name == "voice"][:2]
    now = [0]

    def tick() -> int:
        now[0] = next(clock) * SECOND
        return now[0]

    made = list(repeated(specs, 125 * SECOND, tick))
    assert made[:4] == [*specs, *specs]
    assert now[0] + 30 * SECOND > 125 * SECOND
    assert list(repeated(specs, SECOND, lambda: 0)) == []


def test_a_node_that_takes_no_time_is_left_alone() -> None:
    specs = [spec for lane in LANES for spec in lane.sessions][:1]
    assert list(repeated(specs, 10**15, lambda: 0)) == specs
