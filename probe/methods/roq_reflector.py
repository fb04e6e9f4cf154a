"""RTP over QUIC at a node: which test connection belongs to which session.

A client opens its connection (ALPN `roq`), writes the session's token on its first bidirectional
stream and gets one byte back; media follows in DATAGRAM frames or on unidirectional streams. Unlike a
UDP 5-tuple the address is proved by QUIC's own handshake.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamDataReceived
from numpy.typing import NDArray

from probe.errors import ProtocolError
from probe.methods.control import MISUSE_CODE
from probe.methods.negotiation import TOKEN_BYTES, Grant
from probe.methods.quic_server import Peer
from probe.methods.reflections import LOG_ROW_BITS, LOG_ROW_MASK
from probe.methods.roq_session import RoqSession
from probe.metrics import Times

BIND_STREAM = 0
BOUND = b"\x01"
CLOSED_CODE = 0x102
"""Application error code of a connection whose session was closed."""


def _nothing() -> None:
    """Where no kernel knows."""


class RoqReflector:
    """All RTP over QUIC sessions of a node; a backend of the control channel."""

    def __init__(self) -> None:
        self.strays = 0
        """Connections without a valid token, or with something else than media."""
        self.server_strays = 0
        """Datagrams that were no QUIC of ours; the carrier keeps it up to date."""
        self.socket_dropped = 0
        """Datagrams that the node's socket has dropped so far; the carrier keeps it up to date."""
        self.take_stamps: Callable[[], None] = _nothing
        """The carrier's: tells `on_transmitted` what the kernel knows by now. Rows of a log are handed out once."""
        self.touched: list[Peer] = []
        """Connections that were written to without an event of theirs; for the server to be told."""
        self._sessions: dict[int, RoqSession] = {}
        self._by_token: dict[bytes, RoqSession] = {}
        self._shown: dict[Peer, bytes] = {}
        self._bound: dict[Peer, RoqSession] = {}

    @property
    def reflected_pps(self) -> float:
        """Packets a second that the open sessions may send back, all together."""
        grants = [session.grant for session in self._sessions.values()]
        return sum(grant.rate_pps for grant in grants if not grant.one_way)

    # the control channel's side

    def open(self, grant: Grant) -> None:
        """Serve the session from now on; raises OSError when there is no memory for its log."""
        try:
            session = RoqSession(grant, self.socket_dropped)
        except MemoryError as error:
            raise OSError("no memory for the session's log") from error
        self._sessions[grant.session] = self._by_token[grant.token] = session

    def log(self, session: int, after: int, limit: int) -> NDArray[np.void]:
        self.take_stamps()
        return self._sessions[session].log(after, limit)

    def report(self, session: int) -> dict[str, Any]:
        """As of a UDP session, and QUIC's own; strays are the node's, whoever they came from."""
        report = self._sessions[session].report(self.socket_dropped)
        return report | {"strays": self.strays + self.server_strays}

    def note_host(self, stall_ns: int, clock_step_ns: int) -> None:
        """The node's loop came round so late; its wall clock was stepped so far since the last time."""
        for session in self._sessions.values():
            session.note_host(stall_ns, clock_step_ns)

    def close(self, session: int) -> None:
        closed = self._sessions.pop(session, None)
        if closed is not None:
            del self._by_token[closed.grant.token]
            if closed.peer is not None:
                self._release(closed.peer, "session closed")

    # the connections' side

    def handle(self, peer: Peer, event: QuicEvent, now: float) -> None:
        """Take an event of a test connection."""
        try:
            if isinstance(event, ConnectionTerminated):
                self._leave(peer)
            elif session := self._bound.get(peer):
                session.handle(event, now)
            elif isinstance(event, StreamDataReceived):
                self._take_token(peer, event)
        except ProtocolError as error:
            self.strays += 1
            peer.close(MISUSE_CODE, str(error)[:200])

    def on_leaving(self, peer: Peer, now_ns: int) -> None:
        """Correct the leaving time of media just handed out on `peer`."""
        if session := self._bound.get(peer):
            session.on_leaving(now_ns)

    def name(self, peer: Peer, tags: NDArray[np.int64]) -> None:
        """Write into `tags`, of the datagrams that `peer` has just been given, which reflection each carries."""
        if session := self._bound.get(peer):
            session.name(tags)

    def on_transmitted(self, tags: NDArray[np.int64], time_ns: Times) -> None:
        """The kernel's word for when reflections left."""
        for tag, left_ns in zip(tags.tolist(), time_ns.tolist(), strict=True):
            if session := self._sessions.get(tag >> LOG_ROW_BITS):
                session.on_transmitted(tag & LOG_ROW_MASK, left_ns)

    def _take_token(self, peer: Peer, event: StreamDataReceived) -> None:
        if event.stream_id != BIND_STREAM:
            raise ProtocolError("media before the session's token")
        shown = self._shown.pop(peer, b"") + event.data
        if len(shown) < TOKEN_BYTES:
            self._shown[peer] = shown
            return
        session = self._by_token.get(shown)
        if session is None:
            raise ProtocolError("no session has this token")
        if session.peer is not None:
            self._release(session.peer, "bound anew")
        peer.confirmed = True
        self._bound[peer] = session
        session.bind(peer)
        peer.quic.send_stream_data(BIND_STREAM, BOUND)

    def _release(self, peer: Peer, reason: str) -> None:
        self._bound.pop(peer, None)
        peer.close(CLOSED_CODE, reason)
        self.touched.append(peer)

    def _leave(self, peer: Peer) -> None:
        self._shown.pop(peer, None)
        session = self._bound.pop(peer, None)
        if session is not None:
            session.peer = None
