"""A node's QUIC side and its certificate, for tests over emulated paths and over loopback."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.methods.admission import Admission, Limits
from probe.methods.control_server import ControlServer, SessionBackend
from probe.methods.negotiation import QUIC_DATAGRAM, QUIC_STREAM, UDP, Grant, OpenRequest
from probe.methods.quic_client import NodeIdentity
from probe.methods.quic_node import QuicNode
from probe.methods.quic_server import QuicServer, ServerLimits, server_configuration
from probe.methods.roq_reflector import RoqReflector
from probe.net.certificate import self_signed
from probe.wire.log import LOG

KEY = b"a shared key"
CERTIFICATE = self_signed()
IDENTITY = NodeIdentity("node", f"sha256:{CERTIFICATE.fingerprint}")


def request(**changes: Any) -> OpenRequest:
    """One voice call of 10 s over UDP."""
    terms: dict[str, Any] = {
        "transport": UDP,
        "streams": 1,
        "packets": 500,
        "packet_bytes": 200,
        "rate_pps": 50.0,
        "rate_bps": 40_000,
        "duration_ms": 10_000,
        "one_way": False,
        "nack": True,
        "deadline_ms": 200,
    }
    return OpenRequest(**(terms | changes))


class Backend:
    """Sessions with a receive log that the test fills."""

    def __init__(self) -> None:
        self.grants: dict[int, Grant] = {}
        self.rows: NDArray[Any] = np.zeros(0, LOG)

    def open(self, grant: Grant) -> None:
        self.grants[grant.session] = grant

    def log(self, session: int, after: int, limit: int) -> NDArray[Any]:
        return self.rows[after : after + limit].copy()

    def report(self, session: int) -> dict[str, Any]:
        return {"received": len(self.rows)}

    def close(self, session: int) -> None:
        del self.grants[session]


def quic_node(
    backend: SessionBackend | None = None,
    *,
    limits: Limits | None = None,
    server_limits: ServerLimits | None = None,
    keys: Mapping[str, bytes] | None = None,
) -> QuicNode:
    """All of a node that speaks QUIC."""
    random = Random(1).randbytes
    admission = Admission(limits or Limits(), random)
    roq = RoqReflector()
    control = ControlServer(
        keys=keys or {"one": KEY},
        fingerprint=CERTIFICATE.fingerprint,
        admission=admission,
        backends={UDP: backend or Backend(), QUIC_DATAGRAM: roq, QUIC_STREAM: roq},
        random=random,
    )
    configuration = server_configuration(CERTIFICATE.certificate, CERTIFICATE.private_key)
    return QuicNode(QuicServer(configuration, random=random, limits=server_limits), control, roq)
