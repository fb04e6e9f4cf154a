"""Measuring on until it is decided, without the bias of peeking (`evidence.extend_up_to`).

The looks at the data are declared beforehand: one when the plan's own sessions are done, the others evenly
over the time that may be added. Each spends its own part of the error allowed (Lan and DeMets 1983, with
Pocock's spending function), and the parts add up to it: whatever look decides, the chance of a wrong verdict
stays what the plan's confidence says. A gate that a look has decided stays decided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from probe.analysis.admission import Examined
from probe.analysis.results import FAIL, PASS, Judgement
from probe.objectives import Evidence

LOOKS = 5

Judge = Callable[[Evidence, Sequence[Examined]], list[Judgement]]


def confidence_at(confidence: float, look: int) -> float:
    """The confidence of the intervals of a look, counted from 0, when there may be `LOOKS` of them."""
    return 1 - (1 - confidence) * (_spent((look + 1) / LOOKS) - _spent(look / LOOKS))


def _spent(share: float) -> float:
    return math.log1p((math.e - 1) * share)


def judge_at_looks(evidence: Evidence, sessions: Sequence[Examined], judge: Judge) -> list[Judgement]:
    """Judge as the run did: look after look, each on the sessions there were by then."""
    if not evidence.extend_up_to_ns:
        return judge(evidence, sessions)
    last = max((session.record.look for session in sessions), default=0)
    decided: dict[tuple[str, ...], Judgement] = {}
    judged: list[Judgement] = []
    for look in range(last + 1):
        then = [session for session in sessions if session.record.look <= look]
        at = replace(evidence, confidence=confidence_at(evidence.confidence, look))
        judged = [decided.get(_question(one), one) for one in judge(at, then)]
        for one in judged:
            if one.verdict in (PASS, FAIL) and one.chance is not None:
                decided.setdefault(_question(one), one)
    return judged


def _question(one: Judgement) -> tuple[str, ...]:
    scope = (f"{key}={value}" for key, value in sorted(one.scope.items()))
    return one.expr, one.severity, str(one.file), str(one.line), *scope
