"""The node's side of the control channel: who may, how much, and what happened to it."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamDataReceived
from numpy.typing import NDArray

from probe import __version__
from probe.errors import ProtocolError
from probe.methods.admission import Admission
from probe.methods.control import (
    LOG_ROWS,
    MISUSE_CODE,
    NONCE_BYTES,
    PROTOCOL,
    STREAM_ID,
    proof,
)
from probe.methods.negotiation import Grant, Json, OpenRequest, Refusal
from probe.methods.quic_server import Peer, source
from probe.wire.control import Decoder, encode_blob, encode_message
from probe.wire.log import pack_log

GRACE = 10.0
"""Seconds for which sessions outlive their control connection."""
OVERTIME = 120.0
"""Seconds a session may stay open beyond its duration: connecting before, fetching the log after."""
MAX_MESSAGE = 8192
MAX_BACKLOG = 4 << 20
"""Bytes under way to one client above which its next request waits."""
MAX_REQUESTS = 64


class SessionBackend(Protocol):
    """Who serves the media of sessions."""

    def open(self, grant: Grant) -> None:
        """Serve a session from now on; raises OSError when there is no memory for it."""

    def log(self, session: int, after: int, limit: int) -> NDArray[np.void]:
        """Rows (wire.log.LOG) `after ..` of the receive log, at most `limit`."""

    def report(self, session: int) -> dict[str, Any]:
        """The session's counters."""

    def close(self, session: int) -> None:
        """Forget the session."""


@dataclass(slots=True)
class _Session:
    grant: Grant
    backend: SessionBackend
    close_at: float


@dataclass(slots=True)
class _Client:
    """One control connection. `key` is the name of the key it has shown, "" before."""

    peer: Peer
    decoder: Decoder = field(default_factory=lambda: Decoder(max_message=MAX_MESSAGE, max_blob=0))
    nonce: bytes = b""
    key: str = ""
    ended: bool = False
    requests: deque[Json] = field(default_factory=deque)
    sessions: dict[int, _Session] = field(default_factory=dict)


class ControlServer:
    """All control connections of a node.

    `keys` are shared keys by name; `fingerprint` (hexadecimal) is that of the node's certificate;
    `backends` serve sessions by transport. `random` gives that many random bytes.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, bytes],
        fingerprint: str,
        admission: Admission,
        backends: Mapping[str, SessionBackend],
        random: Callable[[int], bytes],
    ) -> None:
        self.rejected = 0
        """Connections that showed no valid key."""
        self._keys, self._fingerprint = dict(keys), fingerprint
        self._admission, self._backends = admission, backends
        self._random = random
        self._clients: dict[Peer, _Client] = {}
        self._orphans: dict[int, _Session] = {}

    def handle(self, peer: Peer, event: QuicEvent, now: float) -> None:
        """Take an event of a control connection."""
        client = self._clients.get(peer)
        if client is None:
            client = self._clients[peer] = _Client(peer)
        if isinstance(event, ConnectionTerminated):
            self._leave(client, now)
        elif isinstance(event, StreamDataReceived) and not client.ended:
            try:
                self._take(client, event)
            except ProtocolError as error:
                self._drop(client, MISUSE_CODE, str(error))
        self._answer(client, now)

    def resume(self, now: float) -> list[Peer]:
        """Go on with requests that waited for a client to take its answers in; returns whose they were."""
        waiting = [client for client in self._clients.values() if client.requests]
        for client in waiting:
            self._answer(client, now)
        return [client.peer for client in waiting]

    def get_timer(self) -> float | None:
        """When a session has to be closed (seconds)."""
        return min((session.close_at for _, _, session in self._open_sessions()), default=None)

    def handle_timer(self, now: float) -> None:
        """Close what nobody owns any more, and what stays on after its time."""
        for owned, number, session in self._open_sessions():
            if session.close_at <= now:
                del owned[number]
                self._close(session)

    @property
    def sessions(self) -> int:
        """How many are open."""
        return len(self._open_sessions())

    def close(self) -> None:
        """Close every session: the node stops."""
        for owned, number, session in self._open_sessions():
            del owned[number]
            self._close(session)

    def _open_sessions(self) -> list[tuple[dict[int, _Session], int, _Session]]:
        owners = [client.sessions for client in self._clients.values()]
        return [(owned, *item) for owned in [*owners, self._orphans] for item in owned.items()]

    # requests

    def _take(self, client: _Client, event: StreamDataReceived) -> None:
        if event.stream_id != STREAM_ID:
            raise ProtocolError("data on a stream that is not the control channel")
        for message in client.decoder.feed(event.data):
            if not isinstance(message, dict):
                raise ProtocolError("a client has no blobs to send")
            client.requests.append(message)
        if len(client.requests) > MAX_REQUESTS:
            raise ProtocolError(f"more than {MAX_REQUESTS} requests without waiting for an answer")

    def _answer(self, client: _Client, now: float) -> None:
        """Answer request after request, as long as the client takes the answers in."""
        while client.requests and not client.ended and _backlog(client.peer) < MAX_BACKLOG:
            message = client.requests.popleft()
            try:
                if client.key:
                    self._serve(client, message, now)
                else:
                    self._admit(client, message)
            except ProtocolError as error:
                self._drop(client, MISUSE_CODE, str(error))

    def _admit(self, client: _Client, message: Json) -> None:
        """Before the key is shown: hello and auth, once each."""
        kind = message.get("type")
        if kind == "hello" and not client.nonce:
            if message.get("protocol") != PROTOCOL:
                self._refuse(client, Refusal("protocol", f"this node speaks protocol {PROTOCOL}"), last=True)
                return
            client.nonce = self._random(NONCE_BYTES)
            nonce = client.nonce.hex()
            self._send(client, type="challenge", nonce=nonce, protocol=PROTOCOL, version=__version__)
        elif kind == "auth" and client.nonce:
            shown = str(message.get("proof", ""))
            for name, key in self._keys.items():
                # No early way out: the time taken tells nothing about which key was near.
                right = proof(key, client.nonce, self._fingerprint).hex()
                if hmac.compare_digest(shown.encode(errors="replace"), right.encode()):
                    client.key = name
            if not client.key:
                self.rejected += 1
                self._refuse(client, Refusal("key", "the node does not know this key"), last=True)
                return
            client.peer.confirmed = True
            limits = self._admission.limits.to_json()
            self._send(client, type="welcome", limits=limits, clock="monotonic")
        else:
            raise ProtocolError("the client has not shown its key")

    def _serve(self, client: _Client, message: Json, now: float) -> None:
        kind = message.get("type")
        if kind == "open":
            self._open(client, OpenRequest.from_json(message.get("request")), now)
            return
        if kind not in ("log", "close"):
            raise ProtocolError("unknown request")
        number = message.get("session")
        session = client.sessions.get(number) if isinstance(number, int) else None
        if session is None:
            self._refuse(client, Refusal("session", "there is no such session of yours"))
        elif kind == "log":
            self._log(client, session, message.get("after"))
        else:
            counters = session.backend.report(session.grant.session)
            del client.sessions[session.grant.session]
            self._close(session)
            self._send(client, type="report", session=session.grant.session, counters=counters)

    def _open(self, client: _Client, request: OpenRequest, now: float) -> None:
        backend = self._backends.get(request.transport)
        if backend is None:
            self._refuse(client, Refusal("transport", f"this node does not serve {request.transport}"))
            return
        grant = self._admission.admit(request, address=source(client.peer.address[0]), key=client.key)
        if isinstance(grant, Refusal):
            self._refuse(client, grant)
            return
        try:
            backend.open(grant)
        except OSError:
            self._admission.release(grant.session)
            self._refuse(client, Refusal("busy", "the node has no memory left for the session's log"))
            return
        close_at = now + grant.duration_ms / 1e3 + OVERTIME
        client.sessions[grant.session] = _Session(grant, backend, close_at)
        self._send(client, type="opened", grant=grant.to_json())

    def _log(self, client: _Client, session: _Session, after: Any) -> None:
        if isinstance(after, bool) or not isinstance(after, int) or not 0 <= after < 1 << 53:
            raise ProtocolError("the log's cursor is not a number")
        number = session.grant.session
        rows = session.backend.log(number, after, LOG_ROWS)
        self._send(client, type="log", session=number, after=after, next=after + len(rows), rows=len(rows))
        client.peer.quic.send_stream_data(STREAM_ID, encode_blob(pack_log(rows)))

    # ends

    def _close(self, session: _Session) -> None:
        session.backend.close(session.grant.session)
        self._admission.release(session.grant.session)

    def _leave(self, client: _Client, now: float) -> None:
        """The connection is gone: its sessions live on for a short while, so that packets under way are
        still answered, and no longer."""
        client.ended = True
        self._clients.pop(client.peer, None)
        for number, session in client.sessions.items():
            session.close_at = min(session.close_at, now + GRACE)
            self._orphans[number] = session
        client.sessions = {}

    def _refuse(self, client: _Client, refusal: Refusal, *, last: bool = False) -> None:
        self._send(client, type="refused", reason=refusal.reason, detail=refusal.detail)
        # Not closed at once: aioquic would send the close instead of the message. Whoever has not shown
        # a key is disconnected by the server's own timeout.
        client.ended = last

    def _drop(self, client: _Client, code: int, reason: str) -> None:
        client.ended = True
        client.requests.clear()
        client.peer.close(code, reason[:200])

    def _send(self, client: _Client, **message: Any) -> None:
        client.peer.quic.send_stream_data(STREAM_ID, encode_message(message))


def _backlog(peer: Peer) -> int:
    """Bytes written to the control stream and not acknowledged; aioquic has no back-pressure of its own."""
    stream = peer.quic._streams.get(STREAM_ID)
    return stream.sender._buffer_stop - stream.sender._buffer_start if stream else 0
