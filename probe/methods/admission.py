"""A node's admission of sessions: what one may use, what all may use together, and which SSRCs are free.

Admission happens once, here, before the first packet: policing of media is far above what is granted,
so that it never looks like loss.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import floor

from probe.methods.negotiation import (
    QUIC_STREAM,
    TOKEN_BYTES,
    UDP,
    Grant,
    Json,
    OpenRequest,
    Refusal,
    Restriction,
)
from probe.wire import media

QUIC_STREAMS = 100
"""Streams of a `quic-stream` session: below the 128 that a peer may open at first (methods/quic_server.py)."""
_PREFIX_BITS = 9
"""Of a random SSRC: what the slot and the bits of repair streams leave."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the node's operator allows: first for one session, then for the whole node, then each peer."""

    streams: int = 2000
    packets: int = 4_000_000
    """Of all streams: each costs a row of memory."""
    packet_bytes: int = media.MAX_PACKET_BYTES
    rate_pps: float = 100_000.0
    rate_bps: int = 200_000_000
    duration_ms: int = 3_600_000
    sessions: int = 64
    node_packets: int = 16_000_000
    node_rate_bps: int = 1_000_000_000
    quic_rate_pps: float = 1000.0
    """Of all QUIC sessions: their packets are handled one by one."""
    address_sessions: int = 8
    key_sessions: int = 32

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Load:
    """What is granted already; the last two to this client's address and key."""

    sessions: int = 0
    packets: int = 0
    rate_bps: int = 0
    quic_rate_pps: float = 0.0
    address_sessions: int = 0
    key_sessions: int = 0


def restrict(
    request: OpenRequest, limits: Limits, load: Load
) -> tuple[OpenRequest, tuple[Restriction, ...]] | Refusal:
    """The largest session within `limits` that is nowhere larger than `request`, with every restriction.

    Rates are kept by granting fewer streams, each at the rate asked for; only a single stream that is
    too fast by itself is slowed down.
    """
    if refusal := _full(request, limits, load):
        return refusal
    streams, why = min(_stream_limits(request, limits, load))
    if streams < 1:
        return Refusal("busy", "the node's granted sessions leave no room for one more stream")
    streams = min(streams, request.streams)
    share = streams / request.streams
    packets, node_packets = limits.packets // streams, (limits.node_packets - load.packets) // streams
    if min(packets, node_packets) < 1:
        return Refusal("busy", "the node's granted sessions leave no room for one more packet")
    offers: list[tuple[str, float, str]] = [
        ("streams", streams, why),
        ("packets", packets, "packets"),
        ("packets", node_packets, "node_packets"),
        ("packet_bytes", limits.packet_bytes, "packet_bytes"),
        ("rate_pps", request.rate_pps * share, why),
        ("rate_pps", limits.rate_pps, "rate_pps"),
        ("rate_bps", floor(request.rate_bps * share), why),
        ("rate_bps", limits.rate_bps, "rate_bps"),
        ("duration_ms", limits.duration_ms, "duration_ms"),
    ]
    granted: dict[str, float] = {}
    said: dict[str, Restriction] = {}
    for what, offer, reason in offers:
        asked = getattr(request, what)
        if offer < granted.get(what, asked):
            granted[what] = offer
            said[what] = Restriction(what, asked, offer, reason)
    return replace(request, **granted), tuple(said.values())  # type: ignore[arg-type]


def _full(request: OpenRequest, limits: Limits, load: Load) -> Refusal | None:
    for held, most, whose in (
        (load.sessions, limits.sessions, "the node"),
        (load.address_sessions, limits.address_sessions, "your address"),
        (load.key_sessions, limits.key_sessions, "your key"),
    ):
        if held >= most:
            return Refusal("busy", f"{whose} has {held} open sessions, the limit")
    for name, size in (("packet_bytes", request.packet_bytes), ("packet_bytes limit", limits.packet_bytes)):
        if size < media.MIN_PACKET_BYTES:
            return Refusal(
                "size", f"a {name} of {size} is shorter than a test packet ({media.MIN_PACKET_BYTES})"
            )
    return None


def _stream_limits(request: OpenRequest, limits: Limits, load: Load) -> list[tuple[int, str]]:
    """How many streams each limit allows."""
    pps, bps = request.rate_pps / request.streams, request.rate_bps / request.streams
    found = [
        (limits.streams, "streams"),
        (max(1, _fit(limits.rate_pps, pps)), "rate_pps"),
        (max(1, _fit(limits.rate_bps, bps)), "rate_bps"),
        (_fit(limits.node_rate_bps - load.rate_bps, min(bps, limits.rate_bps)), "node_rate_bps"),
    ]
    if request.transport != UDP:
        pps = min(pps, limits.rate_pps)
        found.append((_fit(limits.quic_rate_pps - load.quic_rate_pps, pps), "quic_rate_pps"))
    if request.transport == QUIC_STREAM:
        found.append((QUIC_STREAMS, "quic_streams"))
    return found


def _fit(room: float, each: float) -> int:
    # The rate of n streams divided by n and multiplied again is not always what it was.
    return floor(room / each * (1 + 1e-9))


class Slots:
    """The SSRC slots of a node: ranges of consecutive numbers, the lowest free one first."""

    def __init__(self, count: int = media.SLOT_MASK + 1) -> None:
        self._count = count
        self._taken: list[tuple[int, int]] = []

    def take(self, streams: int) -> int | None:
        """The first slot of a free range, or None."""
        at = 0
        for start, stop in self._taken:
            if start - at >= streams:
                break
            at = stop
        if self._count - at < streams:
            return None
        self._taken.insert(bisect(self._taken, (at, at)), (at, at + streams))
        return at

    def free(self, start: int) -> None:
        self._taken = [taken for taken in self._taken if taken[0] != start]


@dataclass(frozen=True, slots=True)
class _Admitted:
    grant: Grant
    address: str
    key: str


class Admission:
    """Grants sessions within `limits` and keeps account of them; `random` gives that many random bytes."""

    def __init__(self, limits: Limits, random: Callable[[int], bytes]) -> None:
        self.limits = limits
        self._random = random
        self._slots = Slots()
        self._last = 0
        self._admitted: dict[int, _Admitted] = {}

    def admit(self, request: OpenRequest, *, address: str, key: str) -> Grant | Refusal:
        """Grant what can be granted to a client at `address` (opaque) that holds the key named `key`."""
        terms = restrict(request, self.limits, self._load(address, key))
        if isinstance(terms, Refusal):
            return terms
        granted, restricted = terms
        slot = self._slots.take(granted.streams)
        if slot is None:
            return Refusal("busy", "the node has no free SSRCs for so many streams")
        self._last += 1
        # A random part in the SSRC: packets of an old session on the same slot are strays, not ours.
        prefix = int.from_bytes(self._random(2), "big") & ((1 << _PREFIX_BITS) - 1)
        grant = Grant(
            **asdict(granted),
            session=self._last,
            token=self._random(TOKEN_BYTES),
            ssrc_base=prefix << media.SLOT_BITS | slot,
            restricted=restricted,
        )
        self._admitted[grant.session] = _Admitted(grant, address, key)
        return grant

    def release(self, session: int) -> None:
        """Give the session's share back."""
        admitted = self._admitted.pop(session, None)
        if admitted is not None:
            self._slots.free(admitted.grant.ssrc_base & media.SLOT_MASK)

    def _load(self, address: str, key: str) -> Load:
        held = self._admitted.values()
        return Load(
            sessions=len(held),
            packets=sum(item.grant.streams * item.grant.packets for item in held),
            rate_bps=sum(item.grant.rate_bps for item in held),
            quic_rate_pps=sum(item.grant.rate_pps for item in held if item.grant.transport != UDP),
            address_sessions=sum(item.address == address for item in held),
            key_sessions=sum(item.key == key for item in held),
        )
