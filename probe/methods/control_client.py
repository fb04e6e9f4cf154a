"""The client's side of the control channel, as five verbs: show the key, then one question after another."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from aioquic.quic.events import HandshakeCompleted, PingAcknowledged, QuicEvent, StreamDataReceived
from numpy.typing import NDArray

from probe import __version__
from probe.errors import AuthenticationFailed, NotMeasured, ProbeError, ProtocolError
from probe.methods.control import LOG_ROWS, NONCE_BYTES, PROTOCOL, STREAM_ID, proof
from probe.methods.negotiation import Grant, Json, OpenRequest, check_grant
from probe.methods.quic_client import NodeIdentity, client_connection, why_closed
from probe.methods.quic_server import CONTROL_ALPN, Address, Datagrams
from probe.wire.control import Decoder, encode_message
from probe.wire.log import unpack_log


class Welcome(NamedTuple):
    """The node accepted our key; `limits` is what it would grant at most."""

    limits: Json


class LogPage(NamedTuple):
    """Rows (wire.log.LOG) of a session's receive log, and the cursor to go on with."""

    rows: NDArray[np.void]
    next: int


class Report(NamedTuple):
    """A closed session's counters."""

    counters: Json


_MOST = 1 << 63
Answer = Welcome | Grant | LogPage | Report | ProbeError


class ControlClient:
    """A control connection. Each request gives one answer, in order, from `next_answer`.

    The first answer is to the connection itself: `Welcome` or an error. Verbs that take in may raise
    FingerprintMismatch, or NotMeasured when what answers is no node of this protocol: the connection is
    then worth nothing any more.
    """

    def __init__(self, identity: NodeIdentity, key: bytes, address: Address) -> None:
        self.heard_at = 0.0
        """When the node last said something (seconds)."""
        self._quic = client_connection(identity, CONTROL_ALPN)
        self._identity, self._key, self._address = identity, key, address
        self._fingerprint = ""
        self._decoder = Decoder()
        self._pings = 0
        self._asked: deque[Json | OpenRequest] = deque()
        self._answers: deque[Answer] = deque()
        self._log: tuple[int, int] | None = None  # rows and cursor of the blob that is to follow

    @property
    def closed(self) -> ProbeError | None:
        """Why the connection has ended; None while it lives."""
        return why_closed(self._quic, self._identity)

    def connect(self, now: float) -> None:
        """Begin the handshake."""
        self.heard_at = now
        self._quic.connect(self._address, now)

    def ping(self) -> None:
        """Ask for a sign of life, to be seen in `heard_at`."""
        self._pings += 1
        self._quic.send_ping(self._pings)

    def end(self) -> None:
        """End the connection; send what `datagrams_to_send` gives after this."""
        self._quic.close()

    # the five verbs

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        self._quic.receive_datagram(data, self._address, now)
        self._take_events(now)

    def datagrams_to_send(self, now: float) -> Datagrams:
        return self._quic.datagrams_to_send(now)

    def get_timer(self) -> float | None:
        return self._quic.get_timer()

    def handle_timer(self, now: float) -> None:
        due = self._quic.get_timer()
        if due is not None and due <= now:
            self._quic.handle_timer(now)
            self._take_events(now)

    def next_answer(self) -> Answer | None:
        return self._answers.popleft() if self._answers else None

    def _take_events(self, now: float) -> None:
        try:
            while (event := self._quic.next_event()) is not None:
                self._handle(event, now)
        except ProtocolError as error:
            raise NotMeasured(f"{self._identity.server_name} is no node of this version: {error}") from None

    def _handle(self, event: QuicEvent, now: float) -> None:
        if isinstance(event, PingAcknowledged):
            self.heard_at = now
        elif isinstance(event, HandshakeCompleted):
            self._fingerprint = self._identity.check(self._quic)
            self._ask({"type": "hello", "protocol": PROTOCOL, "version": __version__})
        elif isinstance(event, StreamDataReceived) and event.stream_id == STREAM_ID:
            self.heard_at = now
            for message in self._decoder.feed(event.data):
                self._take(message)

    # requests

    def open(self, request: OpenRequest) -> None:
        """Ask for a session; the answer is a Grant that has been checked, or NotMeasured."""
        self._send({"type": "open", "request": request.to_json()})
        self._asked.append(request)

    def log(self, session: int, after: int) -> None:
        """Ask for a page of the receive log; the answer is a LogPage."""
        self._ask({"type": "log", "session": session, "after": after})

    def close(self, session: int) -> None:
        """Close a session; the answer is its Report."""
        self._ask({"type": "close", "session": session})

    def _ask(self, message: Json) -> None:
        self._send(message)
        self._asked.append(message)

    def _send(self, message: Json) -> None:
        self._quic.send_stream_data(STREAM_ID, encode_message(message))

    # answers

    def _take(self, message: Json | bytes) -> None:
        if isinstance(message, bytes):
            if self._log is None:
                raise ProtocolError("the node sent a blob that nothing announced")
            (rows, cursor), self._log = self._log, None
            self._answers.append(LogPage(unpack_log(message, rows), cursor))
            return
        if self._log is not None or not self._asked:
            raise ProtocolError("the node answered what was not asked")
        asked = self._asked.popleft()
        kind = message.get("type")
        if kind == "refused":
            self._answers.append(_refused(message, self._identity.server_name))
        elif isinstance(asked, OpenRequest):
            self._expect(kind, "opened")
            grant = Grant.from_json(message.get("grant"))
            check_grant(asked, grant)
            self._answers.append(grant)
        elif asked["type"] == "hello":
            self._expect(kind, "challenge")
            self._show_key(message)
        elif asked["type"] == "auth":
            self._expect(kind, "welcome")
            limits = message.get("limits")
            self._answers.append(Welcome(limits if isinstance(limits, dict) else {}))
        elif asked["type"] == "log":
            self._expect(kind, "log")
            self._log = _announced(message, asked["after"])
        else:
            self._expect(kind, "report")
            self._answers.append(Report(_numbers(message.get("counters"))))

    def _show_key(self, message: Json) -> None:
        try:
            nonce = bytes.fromhex(str(message.get("nonce")))
        except ValueError:
            nonce = b""
        if message.get("protocol") != PROTOCOL or len(nonce) != NONCE_BYTES:
            raise ProtocolError("the node's challenge is not one of this protocol")
        self._ask({"type": "auth", "proof": proof(self._key, nonce, self._fingerprint).hex()})

    def _expect(self, kind: Any, expected: str) -> None:
        if kind != expected:
            raise ProtocolError(f"the node answered {str(kind)[:40]!r} where {expected!r} was due")


def _announced(message: Json, after: int) -> tuple[int, int]:
    rows, cursor = message.get("rows"), message.get("next")
    if not isinstance(rows, int) or not 0 <= rows <= LOG_ROWS or cursor != after + rows:
        raise ProtocolError("the node announced a page of its log that cannot be")
    return rows, cursor


def _refused(message: Json, name: str) -> ProbeError:
    reason, detail = str(message.get("reason", "")), str(message.get("detail", ""))[:300]
    if reason == "key":
        return AuthenticationFailed(
            f"{name} does not accept our key", hint="compare the plan's key with the one of `probe node`"
        )
    if reason == "busy":
        # The operator's limit on measuring, not the vendor's quality: it says nothing about the vendor.
        return NotMeasured(f"{name} is busy: {detail}", hint="try again later, or ask for fewer calls")
    return NotMeasured(f"{name} refused the session ({reason[:40]}): {detail}")


def _numbers(counters: Any) -> Json:
    """What of a report is a number, or not known (None): nothing else is believed of a node."""
    if not isinstance(counters, dict):
        return {}
    return {
        name: value
        for name, value in counters.items()
        if value is None or (isinstance(value, int | float) and abs(value) < _MOST)
    }
