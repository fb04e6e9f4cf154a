"""Declared looks: the error they may spend, and what an earlier look decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from probe.analysis.admission import Examined, examine
from probe.analysis.judge import judge_examined
from probe.analysis.looks import LOOKS, confidence_at, judge_at_looks
from probe.analysis.results import Judgement
from probe.objectives import Evidence, Threshold, parse_expression
from tests.analysis.made import scattered, steady, summary

EXTENDED = Evidence(extend_up_to_ns=60_000_000_000)


def test_the_looks_spend_what_one_look_would() -> None:
    spent = [1 - confidence_at(0.95, look) for look in range(LOOKS)]
    assert sum(spent) == pytest.approx(0.05)
    assert all(0.005 < one < 0.02 for one in spent)


def judged(text: str, evidence: Evidence, *sessions: Any) -> Judgement:
    def judge(rule: Evidence, then: Sequence[Examined]) -> list[Judgement]:
        return judge_examined([Threshold(parse_expression(text))], rule, then)

    return judge_at_looks(evidence, examine(sessions), judge)[0]


def test_what_a_look_decided_stays_decided() -> None:
    first = summary(steady(2000), look=0)
    later = summary(scattered(2000, 30), look=1, index=1)
    assert judged("loss < 1%", EXTENDED, first).verdict == "pass"
    both = judged("loss < 1%", EXTENDED, first, later)
    assert (both.verdict, both.sessions) == ("pass", 1)
    assert judged("loss < 1%", Evidence(), first, later).sessions == 2


def test_a_node_that_dies_later_is_still_a_failure() -> None:
    gone = summary(steady(100), look=1, index=1, outcome="died")
    assert judged("reachable >= 100%", EXTENDED, summary(look=0), gone).verdict == "fail"


def test_peeking_wrongly_decides_no_oftener_than_the_plan_allows() -> None:
    """Normal scores at the limit itself: any verdict is wrong on one of the two sides."""
    from statistics import NormalDist

    random = np.random.default_rng(3)
    steps = random.normal(size=(20_000, LOOKS)).cumsum(axis=1) / np.sqrt(np.arange(1, LOOKS + 1))
    limits = [NormalDist().inv_cdf((1 + confidence_at(0.95, look)) / 2) for look in range(LOOKS)]
    assert float((steps > limits).any(axis=1).mean()) < 0.025
