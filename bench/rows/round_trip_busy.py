"""The round trip of one call by four kernel stamps while a process computes on every CPU."""

from __future__ import annotations

from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.processes import every_cpu_busy
from bench.rows import round_trip
from bench.rows.round_trip import C_CALL, IRTT, STAMPED


def comparison() -> Comparison:
    return Comparison(
        "round-trip-busy",
        "the same with every CPU busy",
        {PROBE: probe, IRTT: irtt, C_CALL: c_call},
        (
            Goal("p99", "p99_us", 1 / 100, IRTT, unit="us", limit_by=C_CALL),
            Goal("packets with four kernel stamps", STAMPED, 0.99, least=True),
        ),
    )


def probe(effort: Effort) -> Sample:
    with every_cpu_busy():
        return round_trip.probe(effort)


def irtt(effort: Effort) -> Sample:
    with every_cpu_busy():
        return round_trip.irtt(effort)


def c_call(effort: Effort) -> Sample:
    with every_cpu_busy():
        return round_trip.c_call(effort)
