"""How much more would decide: in sessions, evenings or minutes, whichever the evidence is counted in."""

from __future__ import annotations

import math
from collections.abc import Sequence

from probe.analysis.admission import Examined
from probe.analysis.estimate import Estimate
from probe.analysis.units import DAY, SESSION
from probe.objectives import Evidence
from probe.records import Json

HOPELESS = 100.0
"""Times as much from which on nothing is foretold: the value is, to all intents, the limit."""


def to_decide(found: Estimate, sessions: Sequence[Examined]) -> Json:
    """The standard error shrinks as the root of the units, the distance to the limit stays."""
    if not found.score:
        return {"unit": "never"}
    return as_much(max((found.needed / abs(found.score)) ** 2, 1.0), found, sessions)


def as_much(times: float, found: Estimate | None, sessions: Sequence[Examined]) -> Json:
    """`times` what there is, less what there is."""
    if not math.isfinite(times) or times > HOPELESS:
        return {"unit": "never"}
    extra = times - 1
    if found is not None and found.kind in (DAY, SESSION):
        unit = found.kind
        if unit == DAY and {s.record.window for s in sessions} == {"peak"}:
            unit = "evening"
        return {"unit": unit, "n": max(1, math.ceil(extra * found.units - 1e-9))}
    measured_s = sum(s.record.duration_ns for s in sessions) / 1e9
    return {"unit": "minute", "n": max(1, math.ceil(extra * measured_s / 60 - 1e-9))}


def blocks_more(wanted: int, evidence: Evidence) -> Json:
    """Time for so many blocks more."""
    return {"unit": "minute", "n": max(1, math.ceil(wanted * evidence.block_ns / 60e9 - 1e-9))}
