"""What analysis hands to reports: plain frozen values, each with its JSON form (docs/contract.md).

`None` is no data, never 0. A value that is infinite (a percentile reaching into the lost packets) is
`None` too, and its name stands in `infinite`. Reasons are `{"code": ..., parameters}`; the sentences
for people are made in `report/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from probe.analysis.claim_result import ClaimResult
from probe.analysis.event import Event
from probe.analysis.repairs import Repairs
from probe.records import Json, SessionRecord

PASS, FAIL, INCONCLUSIVE, NOT_MEASURED, RUN_INTERRUPTED = (
    "pass",
    "fail",
    "inconclusive",
    "not_measured",
    "interrupted",
)
"""Verdicts of a threshold and of a run (the last: runs only)."""

DEGRADED, NOT_DEGRADED = "degraded", "not_degraded"
"""Verdicts of a peak row, beside INCONCLUSIVE."""

GRADE_GOOD, GRADE_DEGRADED, GRADE_INVALID = "good", "degraded", "invalid"
"""Grades of a measurement, judged on itself before any vendor is."""

COUNTS = (
    "scheduled",
    "unsent",
    "unsent_host_late",
    "unsent_cc_limited",
    "unsent_aborted",
    "sent",
    "on_time",
    "late",
    "lost_up",
    "lost_down",
    "lost_unknown",
    "duplicates",
    "reordered",
    "policed",
    "socket_dropped",
    "corrupt",
)
"""Keys of `SessionSummary.counts`: the fates, then what is counted beside them."""

_FROM_RECORD = (
    *("index", "vendor", "node", "role", "scenario", "network", "window", "transport"),
    *("emulated", "vantage", "isp", "city", "started_at", "local_time", "calls"),
    *("outcome", "error", "restricted", "connect_ms", "handshake_ms", "claim", "claim_loss"),
    *("resolve_ms", "bind_ms", "first_packet_ms"),
)
_OF_JUDGEMENT = (
    *("expr", "value", "unit", "low", "high", "n", "n_eff", "blocks", "sessions", "days", "counted_in"),
    *("verdict", "severity", "reason", "attribution", "hours", "file", "line"),
)
_OF_PEAK_ROW = (
    *("vendor", "node", "scenario", "network", "transport", "metric", "unit", "peak", "offpeak"),
    *("shift", "ratio", "low", "high", "ratio_low", "ratio_high", "paired"),
    *("days", "n_peak", "n_offpeak", "verdict", "reason"),
)


class Poolable(Protocol):
    """Values of one metric of one session, kept so that sessions of a cell are judged as one sample."""

    @property
    def n(self) -> int: ...

    def value(self, aggregate: str | None) -> float | None:
        """In the metric's unit (ms or per cent); `math.inf` where it is infinite, None without data."""
        ...


@dataclass(frozen=True, slots=True)
class Distribution:
    """Milliseconds of one metric: percentiles over all packets with lost = infinite (RFC 7679 5.1).

    `min`, `mean` and `max` are over those that arrived. `infinite` names the percentiles that are.
    """

    n: int = 0
    min: float | None = None
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p99_9: float | None = None
    max: float | None = None
    infinite: tuple[str, ...] = ()

    def to_json(self) -> Json:
        names = ("n", "min", "mean", "p50", "p90", "p95", "p99", "p99_9", "max")
        return {name: getattr(self, name) for name in names} | {"infinite": list(self.infinite)}


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a session. `sent` is its population: for `down`, what the node reflected.

    `lost + late = recovered + residual`. `repairs`: by remedy, and at other deadlines. `jitter_ms` has the keys `max`, `mean` and `last`.
    """

    sent: int
    lost: int
    late: int
    recovered: int
    residual: int
    loss_ratio: float | None
    residual_ratio: float | None
    recovered_ratio: float | None
    reordered_ratio: float | None
    recovery_ms: Distribution
    pdv_ms: Distribution
    ipdv_ms: Distribution
    jitter_ms: Mapping[str, float | None]
    duplicates: int = 0
    retransmissions: int = 0
    repairs: Repairs | None = None

    def to_json(self) -> Json:
        counts = ("sent", "lost", "late", "recovered", "residual", "duplicates", "retransmissions")
        ratios = ("loss_ratio", "residual_ratio", "recovered_ratio", "reordered_ratio")
        distributions = ("recovery_ms", "pdv_ms", "ipdv_ms")
        document: Json = {name: getattr(self, name) for name in (*counts, *ratios)}
        document |= {name: getattr(self, name).to_json() for name in distributions}
        document |= {"jitter_ms": dict(self.jitter_ms)}
        return document if self.repairs is None else document | self.repairs.to_json()


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """Everything shown of one session. `down` is None for one-way streams.

    `worst_call` is `{"stream", "loss_ratio", "rtt_p95_ms", "infinite"}`, None for a single stream. `quality` is
    `{"grade", "reasons", "stamps", "lateness_ms", "drops", "clock"}`. `values` holds the poolable
    values by the metric's name in thresholds, `blocks` the same a block of time; neither is part of the JSON.
    `outages` are interruptions and how the session recovered from them.
    """

    record: SessionRecord
    counts: Mapping[str, int]
    rtt_ms: Distribution
    loss_ratio: float | None
    up: Direction
    down: Direction | None
    worst_call: Json | None
    quality: Json
    values: Mapping[str, Poolable] = field(default_factory=dict, repr=False, compare=False)
    blocks: Mapping[str, Sequence[Poolable]] = field(default_factory=dict, repr=False, compare=False)
    outages: Sequence[Event] = ()
    sessions: int = 1
    """More than one where a table pools those of a cell (`analysis.together`)."""

    @property
    def grade(self) -> str:
        """`good`, `degraded` or `invalid`."""
        return str(self.quality["grade"])

    @property
    def sender_queue_ms(self) -> Json | None:
        """How long packets waited for congestion control before they left; it is in no delay. None without any."""
        waited = {name: self.record.client.get(f"sender_queue_{name}_ms") for name in ("p50", "p99")}
        return None if None in waited.values() else waited

    def to_json(self) -> Json:
        record = self.record
        answered = {"completed": 1.0, "not_connected": 1.0, "unreachable": 0.0, "died": 0.0}
        reachable = answered.get(record.outcome)
        return {name: getattr(record, name) for name in _FROM_RECORD} | {
            "counts": dict(self.counts),
            "rtt_ms": self.rtt_ms.to_json(),
            "loss_ratio": self.loss_ratio,
            "reachable_ratio": reachable,
            "up": self.up.to_json(),
            "down": None if self.down is None else self.down.to_json(),
            "worst_call": self.worst_call,
            "sender_queue_ms": self.sender_queue_ms,
            "outages": [event.to_json() for event in self.outages] or None,
            "quality": self.quality,
        }


@dataclass(frozen=True, slots=True)
class Judgement:
    """One threshold on one cell. `value`, `low` and `high` are in `unit` (per cent as a number).

    `scope` names the cell: of `vendor`, `node`, `scenario`, `network`, `window`, `transport` those that
    apply. `n` is the number of packets (sessions for connect, handshake, reachable), `blocks` how many
    evidence blocks they span, `n_eff` how many independent values they are worth. `low` to `high` rest on units
    of `counted_in` (day, session, block); `sessions` on `days` local dates were used. `attribution` says whose
    fault it is (`analysis.attribution`), `hours` when the window is open. `infinite` names those of `value`,
    `low`, `high` that are infinite. `chance` is the probability of so bad a value at the limit, by luck.
    """

    expr: str
    scope: Mapping[str, Any]
    value: float | None
    unit: str
    n: int
    verdict: str
    severity: str
    reason: Json
    low: float | None = None
    high: float | None = None
    blocks: int = 0
    file: str | None = None
    line: int | None = None
    infinite: tuple[str, ...] = ()
    n_eff: float | None = None
    sessions: int = 0
    days: int = 0
    counted_in: str | None = None
    attribution: Json | None = None
    hours: str | None = None
    chance: float | None = None

    def to_json(self) -> Json:
        document: Json = {name: getattr(self, name) for name in _OF_JUDGEMENT}
        return document | {"scope": dict(self.scope), "infinite": list(self.infinite)}


@dataclass(frozen=True, slots=True)
class PeakRow:
    """Evening peak against off-peak of one metric of one node. Values are in `unit`; `ratio` is plain.

    `shift` (from `low` to `high`) is the Hodges-Lehmann estimate over days of peak - offpeak, `ratio` the same
    of their quotient; `days` counts local dates with both windows. Not `paired`: the windows are of different
    days and compared as two samples. `infinite` names the values that are infinite.
    """

    vendor: str
    node: str
    scenario: str
    network: str
    transport: str
    metric: str
    unit: str
    peak: float | None
    offpeak: float | None
    shift: float | None
    ratio: float | None
    days: int
    n_peak: int
    n_offpeak: int
    verdict: str
    reason: Json
    low: float | None = None
    high: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    paired: bool = True
    infinite: tuple[str, ...] = ()

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in _OF_PEAK_ROW} | {"infinite": list(self.infinite)}


@dataclass(frozen=True, slots=True)
class NodeDay:
    """`values` are the median over sessions of the p95 round trip in ms, an hour each (None: not measured;
    infinite ones are None and in `infinite`). `peak` says which hours the plan calls the evening peak."""

    vendor: str
    node: str
    values: tuple[float | None, ...]
    sessions: tuple[int, ...]
    peak: tuple[bool, ...]
    infinite: tuple[int, ...] = ()

    def to_json(self) -> Json:
        return {
            "vendor": self.vendor,
            "node": self.node,
            "metric": "rtt.p95",
            "values": list(self.values),
            "infinite": list(self.infinite),
            "sessions": list(self.sessions),
            "peak": list(self.peak),
        }


SCHEMA_VERSION = 1
"""Of the documents `probe run --json` and `verdict.json`."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """A whole run, judged. `quality` is `{"grade", "reasons"}`, the worst of its sessions.

    Each of `claims` is a check in `thresholds`, too.
    """

    run_id: str
    verdict: str
    exit_code: int
    emulated: bool
    vantage: str | None
    sessions: tuple[SessionSummary, ...]
    thresholds: tuple[Judgement, ...]
    peak: tuple[PeakRow, ...]
    quality: Json
    hours: tuple[NodeDay, ...] = ()
    claims: tuple[ClaimResult, ...] = ()

    def to_json(self) -> Json:
        return {
            "schema_version": SCHEMA_VERSION,
            "run_id": self.run_id,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "emulated": self.emulated,
            "vantage": self.vantage,
            "sessions": [session.to_json() for session in self.sessions],
            "thresholds": [judgement.to_json() for judgement in self.thresholds],
            "peak": [row.to_json() for row in self.peak],
            "quality": self.quality,
            "hours": [day.to_json() for day in self.hours],
            "claims": [result.to_json() for result in self.claims],
        }
