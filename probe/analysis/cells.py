"""Cells: the sessions that are judged together, and the pool of their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from probe.analysis.admission import Examined
from probe.analysis.intervals import CONFIDENCE, least_n
from probe.analysis.population import PER_MILLE, Population, pooled
from probe.analysis.results import Poolable
from probe.objectives import METRICS, Evidence
from probe.records import DIED, NOT_CONNECTED, UNREACHABLE, Json, SessionRecord

NODE = ("vendor", "node")
PLACE = ("scenario", "network", "window", "transport")
"""What of a session a control must share with a vendor's to be comparable."""
CELL = (*NODE, *PLACE)
PEAK_CELL = (*NODE, "scenario", "network", "transport")

Key = tuple[Any, ...]


def matches(record: SessionRecord, scope: Mapping[str, Any], keys: Iterable[str] | None = None) -> bool:
    """Whether a session is within a scope (of `keys` only); a list is any of its names."""
    chosen = scope if keys is None else [key for key in keys if key in scope]
    return all(
        getattr(record, key) in (scope[key] if isinstance(scope[key], list | tuple) else (scope[key],))
        for key in chosen
    )


def group(sessions: Iterable[Examined], keys: Sequence[str]) -> dict[Key, list[Examined]]:
    """Sessions by the values of `keys`, in order of first appearance."""
    cells: dict[Key, list[Examined]] = {}
    for session in sessions:
        cells.setdefault(tuple(getattr(session.record, key) for key in keys), []).append(session)
    return cells


def pool(sessions: Iterable[Examined], metric: str) -> Poolable | None:
    """All values of a metric as one sample; None where none of the sessions has it."""
    parts = [s.summary.values[metric] for s in sessions if metric in s.summary.values]
    return pooled(parts) if parts else None


def packets(sessions: Iterable[Examined], metric: str) -> int:
    """The packets behind a metric: for recovery not the few lost, but all that could have been."""
    way = metric.split(".", maxsplit=1)[0] if "." in metric else ""
    behind = pool(sessions, f"{way}.loss" if way else "loss")
    return 0 if behind is None else behind.n


def blocks(sessions: Iterable[Examined], evidence: Evidence) -> int:
    """How many evidence blocks the sessions span, each session at least one."""
    return sum(max(1, round(s.record.duration_ns / evidence.block_ns)) for s in sessions)


def unresolved(
    values: Poolable, metric: str, aggregate: str | None, confidence: float = CONFIDENCE
) -> Json | None:
    """A percentile that even that many independent values would leave without an upper limit."""
    if not isinstance(values, Population) or aggregate is None or not aggregate.startswith("p"):
        return None
    needed = min_n(aggregate, confidence)
    if values.n >= needed:
        return None
    what = "sessions" if METRICS[metric].per_session else "packets"
    return {"code": "below_resolution", "aggregate": aggregate, "n": values.n, "min_n": needed, "of": what}


def min_n(aggregate: str, confidence: float = CONFIDENCE) -> int:
    """The fewest values that bound a percentile above: p50 5, p90 29, p95 59, p99 299, p99.9 2995 at 95 %."""
    return least_n(PER_MILLE[aggregate] / 1000, confidence, two_sided=False)


def applies(record: SessionRecord, metric: str) -> bool:
    """Whether a session of this kind can have the metric at all: no way back, no handshake."""
    if metric == "handshake":
        return "quic" in record.transport
    return not (record.one_way and (metric == "rtt" or metric.startswith("down.")))


def why_nothing(metric: str, sessions: Sequence[Examined]) -> Json:
    """Why sessions that may be judged have no value."""
    if metric.endswith((".recovery", ".recovered")) and packets(sessions, metric):
        return {"code": "nothing_lost"}
    outcomes = {session.record.outcome for session in sessions}
    alike = [outcome for outcome in (UNREACHABLE, DIED, NOT_CONNECTED) if outcomes == {outcome}]
    return {"code": alike[0] if alike else "no_data"}
