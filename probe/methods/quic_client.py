"""The active end of a QUIC connection to a node, and the proof that it is the right node."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from typing import Any

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicErrorCode
from cryptography.hazmat.primitives.serialization import Encoding

from probe.errors import FingerprintMismatch, NotMeasured, ProbeError, Unreachable
from probe.methods.control import fingerprint_hex
from probe.methods.quic_server import (
    CONTROL_ALPN,
    MAX_DATAGRAM_FRAME,
    ROQ_ALPN,
    ROQ_DATAGRAM_BYTES,
    Address,
    Datagrams,
)
from probe.methods.quic_trace import QuicTrace, TraceLogger

_NO_APPLICATION_PROTOCOL = QuicErrorCode.CRYPTO_ERROR + 120
_CERTIFICATE_ALERTS = range(QuicErrorCode.CRYPTO_ERROR + 42, QuicErrorCode.CRYPTO_ERROR + 49)
_RECEIVE_WINDOW = 16 << 20


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """How a node is recognised: by the pinned `fingerprint` ("sha256:hex"), else by a certificate for
    `server_name` from the authorities in `cafile` (None: certifi's)."""

    server_name: str
    fingerprint: str | None = None
    cafile: str | None = None

    def check(self, quic: QuicConnection) -> str:
        """The fingerprint (bare hexadecimal) of the node; raises FingerprintMismatch.

        To be called when the handshake has completed; a certificate authority was asked by then.
        """
        certificate = quic.tls._peer_certificate
        assert certificate is not None
        shown = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
        if self.fingerprint is not None and shown != fingerprint_hex(self.fingerprint):
            raise FingerprintMismatch(
                f"{self.server_name} is not the node that the plan pins: its certificate is sha256:{shown}",
                hint="ask the partner for the fingerprint that `probe node` prints; a changed one may also "
                "be somebody in between",
            )
        return shown


def client_connection(identity: NodeIdentity, alpn: str) -> QuicConnection:
    """A connection that has not started; `connect` starts it."""
    pinned = identity.fingerprint is not None
    media = alpn == ROQ_ALPN
    configuration = QuicConfiguration(
        is_client=True,
        alpn_protocols=[alpn],
        server_name=identity.server_name,
        verify_mode=ssl.CERT_NONE if pinned else ssl.CERT_REQUIRED,
        cafile=identity.cafile,
        idle_timeout=60.0 if media else 15.0,
        max_data=_RECEIVE_WINDOW,
        max_stream_data=_RECEIVE_WINDOW,
        max_datagram_frame_size=MAX_DATAGRAM_FRAME if media else None,
        quic_logger=TraceLogger() if media else None,
    )
    if media:
        configuration.max_datagram_size = ROQ_DATAGRAM_BYTES
    return QuicConnection(configuration=configuration)


def trace_of(quic: QuicConnection) -> QuicTrace:
    """The trace of a media connection that has not ended."""
    assert isinstance(quic._quic_logger, QuicTrace)
    return quic._quic_logger


def why_closed(quic: QuicConnection, identity: NodeIdentity) -> ProbeError | None:
    """The reason a connection ended, in a sentence; None while it lives.

    aioquic tells its end only after a closing period; this knows at once.
    """
    event = quic._close_event
    if event is None:
        return None
    name, code = identity.server_name, event.error_code
    if code in _CERTIFICATE_ALERTS:
        return FingerprintMismatch(
            f"the certificate of {name} is not trusted: {event.reason_phrase}",
            hint="pin the node with `fingerprint:`, or name its certificate authority",
        )
    if code == _NO_APPLICATION_PROTOCOL:
        return NotMeasured(
            f"{name} answers QUIC but is no probe node", hint="check the endpoint's host and port"
        )
    if event.reason_phrase == "Idle timeout":
        return Unreachable(f"{name} has stopped answering")
    reason = event.reason_phrase or f"code {code:#x}"
    return Unreachable(f"{name} has closed the connection: {reason}")


class Handshake:
    """A connection that is closed as soon as it stands, to measure how long that takes; as five verbs."""

    def __init__(self, identity: NodeIdentity, address: Address) -> None:
        self.completed_at: float | None = None
        self._identity, self._address = identity, address
        self._quic = client_connection(identity, CONTROL_ALPN)

    @property
    def closed(self) -> ProbeError | None:
        """Why there will be no handshake; None while there may be."""
        return None if self.completed_at is not None else why_closed(self._quic, self._identity)

    def connect(self, now: float) -> None:
        self._quic.connect(self._address, now)

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        """Raises FingerprintMismatch when the other end is not the node."""
        self._quic.receive_datagram(data, self._address, now)
        if self.completed_at is None and self._quic._handshake_complete:
            self.completed_at = now
            self._identity.check(self._quic)
            self._quic.close()

    def datagrams_to_send(self, now: float) -> Datagrams:
        return self._quic.datagrams_to_send(now)

    def get_timer(self) -> float | None:
        return self._quic.get_timer()

    def handle_timer(self, now: float) -> None:
        due = self._quic.get_timer()
        if due is not None and due <= now:
            self._quic.handle_timer(now)
