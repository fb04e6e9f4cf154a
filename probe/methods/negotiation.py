"""What a client asks of a node, what it is granted, and the proof that nothing grew on the way.

A node may only make a session smaller: streams, packets, packet size, rate and duration. Each
restriction is listed with its reason, so that a smaller measurement is never taken for the one asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any, Self

from probe.errors import ProtocolError
from probe.methods.parity import MOST_PACKETS
from probe.methods.protection import Protection
from probe.wire import media
from probe.wire.flexfec import MAX_SPAN
from probe.wire.red import MAX_BLOCKS

Json = dict[str, Any]

UDP, QUIC_DATAGRAM, QUIC_STREAM = "udp", "quic-datagram", "quic-stream"
TRANSPORTS = (UDP, QUIC_DATAGRAM, QUIC_STREAM)
RESTRICTABLE = ("streams", "packets", "packet_bytes", "rate_pps", "rate_bps", "duration_ms")
TOKEN_BYTES = 16

_LARGEST = 2**53
"""Larger integers are not the same number to every reader of JSON (RFC 8259 6)."""


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A session as asked for. `packets` is a stream's media, the rates are the whole session's with all that
    leaves beside it; `rate_bps` counts RTP packets without UDP/IP, `packet_bytes` is the longest of the media's.
    `red`, `fec_k` and `fec_interleave` are those of `Protection`: an old peer's are 0, 0 and 1."""

    transport: str
    streams: int
    packets: int
    packet_bytes: int
    rate_pps: float
    rate_bps: int
    duration_ms: int
    one_way: bool
    nack: bool
    deadline_ms: int
    red: int = 0
    fec_k: int = 0
    fec_interleave: int = 1

    @property
    def protection(self) -> Protection:
        """What leaves with the media."""
        return Protection(self.red, self.fec_k, self.fec_interleave)

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Any) -> OpenRequest:
        """Read a request; raises ProtocolError for anything that is none."""
        return OpenRequest(**_terms(_mapping(document)))


@dataclass(frozen=True, slots=True)
class Restriction:
    """One field that was made smaller. `why` is the name of the limit (`Limits` in methods/admission.py)."""

    what: str
    asked: float
    granted: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(OpenRequest):
    """A session as granted. The SSRCs of its streams are `ssrc_base ..`; `token` proves to the media
    ports that a 5-tuple or QUIC connection belongs to it."""

    session: int
    token: bytes
    ssrc_base: int
    restricted: tuple[Restriction, ...] = ()

    def to_json(self) -> Json:
        # Not asdict: its deep copy of bytes is no JSON.
        document = {item.name: getattr(self, item.name) for item in fields(self)}
        return document | {
            "token": self.token.hex(),
            "restricted": [asdict(item) for item in self.restricted],
        }

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """Read a grant; raises ProtocolError for anything that is none."""
        known = _mapping(document)
        try:
            token = bytes.fromhex(_take(known, "token", str))
        except ValueError:
            raise ProtocolError("the session's token is not hexadecimal") from None
        listed = _take(known, "restricted", list)
        return cls(
            **_terms(known),
            session=_integer(known, "session"),
            token=token,
            ssrc_base=_integer(known, "ssrc_base"),
            restricted=tuple(_restriction(item) for item in listed),
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing was granted: `reason` is a code ("busy", "key", ...), `detail` a sentence."""

    reason: str
    detail: str


def check_grant(request: OpenRequest, grant: Grant) -> None:
    """The client's check; raises ProtocolError if anything grew, changed in kind, or shrank unsaid."""
    said = {restriction.what for restriction in grant.restricted}
    if (grant.red, grant.fec_k) == (0, 0) != (request.red, request.fec_k):
        raise ProtocolError(
            "it knows no RED and no FEC; update `probe` there, or leave them out of `recovery`"
        )
    for item in fields(OpenRequest):
        asked, granted = getattr(request, item.name), getattr(grant, item.name)
        if asked == granted:
            continue
        if item.name not in RESTRICTABLE or granted > asked:
            raise ProtocolError(f"the node granted {item.name} {granted}, asked for was {asked}")
        if item.name not in said:
            raise ProtocolError(
                f"the node restricted {item.name} from {asked} to {granted} without saying so"
            )
    last = grant.ssrc_base + grant.streams - 1
    if (
        last >= (media.FEC_SSRC if grant.fec_k else media.RTX_SSRC)
        or last & ~media.SLOT_MASK != grant.ssrc_base & ~media.SLOT_MASK
    ):
        raise ProtocolError(f"the node granted {grant.streams} streams at the SSRC {grant.ssrc_base:#x}")
    if len(grant.token) != TOKEN_BYTES:
        raise ProtocolError(f"the session's token has {len(grant.token)} bytes, not {TOKEN_BYTES}")


def _terms(document: Mapping[str, Any]) -> Json:
    transport = _take(document, "transport", str)
    if transport not in TRANSPORTS:
        raise ProtocolError(f"unknown transport {transport[:40]!r}")
    rate = document.get("rate_pps")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not isfinite(rate) or rate <= 0:
        raise ProtocolError("rate_pps is not a positive number")
    names = ("streams", "packets", "packet_bytes", "rate_bps", "duration_ms")
    return {
        "transport": transport,
        **{name: _integer(document, name, least=1) for name in names},
        "deadline_ms": _integer(document, "deadline_ms"),
        "rate_pps": float(rate),
        "one_way": _take(document, "one_way", bool),
        "nack": _take(document, "nack", bool),
        **_protection(document, transport),
    }


def _protection(document: Mapping[str, Any], transport: str) -> Json:
    """The remedies asked for, within what this version can do."""
    found = Protection(
        red=_integer({"red": 0} | dict(document), "red"),
        fec_k=_integer({"fec_k": 0} | dict(document), "fec_k"),
        fec_interleave=_integer({"fec_interleave": 1} | dict(document), "fec_interleave", least=1),
    )
    if found and transport != UDP:
        raise ProtocolError("RED and FEC go over udp alone")
    if found.red > MAX_BLOCKS or found.fec_k > MOST_PACKETS or found.layout.span > MAX_SPAN:
        raise ProtocolError("RED or FEC beyond what their packets can say")
    return asdict(found)


def _restriction(document: Any) -> Restriction:
    known = _mapping(document)
    asked, granted = known.get("asked"), known.get("granted")
    if not isinstance(asked, int | float) or not isinstance(granted, int | float):
        raise ProtocolError("a restriction without its numbers")
    return Restriction(_take(known, "what", str), asked, granted, _take(known, "why", str))


def _mapping(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise ProtocolError("the terms of a session are not a JSON object")
    return document


def _take(document: Mapping[str, Any], name: str, kind: type) -> Any:
    value = document.get(name)
    if not isinstance(value, kind):
        raise ProtocolError(f"{name} is missing or not of type {kind.__name__}")
    return value


def _integer(document: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < _LARGEST:
        raise ProtocolError(f"{name} is not an integer from {least} on")
    return value
