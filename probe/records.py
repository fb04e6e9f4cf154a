"""What is known of a session besides its packets; stored as one JSON document a session."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

Json = dict[str, Any]

COMPLETED, UNREACHABLE, DIED, INTERRUPTED, FAILED, NOT_CONNECTED = (
    "completed",
    "unreachable",
    "died",
    "interrupted",
    "failed",
    "not_connected",
)
"""Outcomes. UNREACHABLE and DIED are the far side's; FAILED is ours (`error` says what). NOT_CONNECTED is the weak
network's: the node answered beside it, but the test connection never came about through it."""


@dataclass(slots=True)
class SessionRecord:
    """One scheduled measurement of one node: what was asked, where, when, and how it ended.

    `*_ms` are milliseconds; None = no data. `connect_ms` is the sum of its four phases. `counters` are
    the node's own (its final report), `client` ours. `quality` holds the measurement-validity facts.
    """

    run_id: str
    index: int
    country: str
    vendor: str
    node: str
    role: str  # "vendor" | "control"
    scenario: str
    network: str
    window: str  # "peak" | "offpeak" | "other" | a plan's own
    transport: str
    endpoint: str
    emulated: bool
    seed: int
    started_at: str  # ISO 8601, UTC
    local_time: str  # ISO 8601 with the node's own UTC offset
    timezone: str
    calls: int
    packets: int  # a stream
    rate_pps: float  # whole session
    interval_ns: int  # media interval: packet (voice) or frame (video, live)
    duration_ns: int
    deadline_ns: int
    one_way: bool
    nack: bool
    vantage: str | None = None
    isp: str | None = None
    city: str | None = None
    ended_at: str | None = None  # ISO 8601, UTC
    outcome: str = INTERRUPTED
    error: Json | None = None  # {"code": str, "detail": str}
    wall_offset_ns: int = 0  # CLOCK_REALTIME minus CLOCK_MONOTONIC at the start
    resolve_ms: float | None = None
    handshake_ms: float | None = None
    bind_ms: float | None = None
    first_packet_ms: float | None = None
    connect_ms: float | None = None
    restricted: list[Json] = field(default_factory=list)
    counters: Json = field(default_factory=dict)
    client: Json = field(default_factory=dict)
    impairment: Json = field(default_factory=dict)  # what the relay did
    quality: Json = field(default_factory=dict)
    appointment: str | None = None  # of a campaign: which of its diary this session is
    red: int = 0  # earlier packets that each packet repeats (RFC 2198)
    fec_k: int = 0  # packets that share an XOR repair packet (RFC 8627); 0: none
    fec_interleave: int = 1  # how far apart these are
    claim: str | None = None  # the claim that this session is a step of
    claim_loss: float | None = None  # the loss of that step
    look: int = 0  # 0: the plan's own; else the look of `evidence.extend_up_to` it was added for

    @property
    def reached(self) -> bool:
        """Whether the far side could be opened and stayed up."""
        return self.outcome in (COMPLETED, INTERRUPTED)

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Json) -> SessionRecord:
        """Read a stored record; keys this version does not know are ignored (written by a newer one)."""
        known = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in document.items() if name in known})
