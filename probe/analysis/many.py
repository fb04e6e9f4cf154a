"""Many gates, one run: how often would one of them fail by luck?

A run passes only if every gate holds, so a wrong pass of the run is no likelier than of its weakest gate, and
needs no correction (intersection-union, Berger 1982). It fails if any gate fails, so wrong fails add up:
gates fail by Holm's step-down (1979) over all gates of the run, at half of 1 - confidence. What would fail
alone but not among so many is inconclusive. What does not rest on chance (`reachable`, a maximum, a worst
window) takes no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from probe.analysis.results import FAIL, INCONCLUSIVE, Judgement

GATE = "gate"


def holm(chances: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given."""
    order = sorted(range(len(chances)), key=chances.__getitem__)
    adjusted, highest = [0.0] * len(chances), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[at]))
        adjusted[at] = highest
    return adjusted


def among_many(judged: Sequence[Judgement], confidence: float) -> list[Judgement]:
    """The same judgements, without the failures that so many gates make likely."""
    tested = [at for at, one in enumerate(judged) if one.severity == GATE and one.chance is not None]
    adjusted = dict(zip(tested, holm([judged[at].chance or 0.0 for at in tested]), strict=True))
    result = list(judged)
    for at, chance in adjusted.items():
        one = judged[at]
        if one.verdict == FAIL and chance > (1 - confidence) / 2:
            reason = {"code": "among_many", "gates": len(tested), "chance": chance}
            result[at] = replace(one, verdict=INCONCLUSIVE, reason=reason, attribution=None)
    return result
