"""Validation of a media 5-tuple, in RTCP APP packets (RFC 3550 6.7) so that one port stays RTP/RTCP.

    client                       node
      BIND token nonce  ------->        names a session by its secret token
               <-------  CHALLENGE nonce cookie    only as many bytes as came in
      CONFIRM token cookie  --->        proves that the address is the client's own
               <-------  BOUND nonce

Nothing else is sent to an address before CONFIRM: a spoofed source costs its owner one packet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from probe.errors import ProtocolError
from probe.wire.rtcp import App, parse_compound

NAME = b"PRBE"
TOKEN_BYTES = 16
NONCE_BYTES = 8
COOKIE_BYTES = 16
_BODY_BYTES = TOKEN_BYTES + NONCE_BYTES + COOKIE_BYTES


class Step(IntEnum):
    """The RTCP APP subtype."""

    BIND = 1
    CHALLENGE = 2
    CONFIRM = 3
    BOUND = 4


@dataclass(frozen=True, slots=True)
class BindMessage:
    """One message; the node's carry no token, the client's first no cookie (zeros). All are equally long."""

    step: Step
    ssrc: int
    nonce: bytes
    token: bytes = bytes(TOKEN_BYTES)
    cookie: bytes = bytes(COOKIE_BYTES)

    def encode(self) -> bytes:
        return App(self.step, self.ssrc, NAME, self.token + self.nonce + self.cookie).encode()


def parse_bind(data: bytes) -> BindMessage:
    """Read one message; raises ProtocolError for anything else."""
    packets = parse_compound(data)
    app = packets[0]
    if not isinstance(app, App) or app.name != NAME or len(app.data) != _BODY_BYTES:
        raise ProtocolError("not a bind message")
    try:
        step = Step(app.subtype)
    except ValueError:
        raise ProtocolError(f"unknown bind step {app.subtype}") from None
    token, nonce = app.data[:TOKEN_BYTES], app.data[TOKEN_BYTES:-COOKIE_BYTES]
    return BindMessage(step, app.ssrc, nonce, token, app.data[-COOKIE_BYTES:])
