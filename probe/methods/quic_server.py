"""The passive end of many QUIC connections behind one socket, as five verbs.

Datagrams find their connection by destination connection ID (RFC 9000 5.2). A public server answers
nobody it need not: only an Initial of full size opens a connection, unknown connection IDs get silence,
a client that has not shown its key or token has ten seconds, and such connections are few, in all and
from one address. When half of them are taken, clients prove their address first (Retry, RFC 9000 8.1.2).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from aioquic._buffer import Buffer
from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE, QuicConfiguration
from aioquic.quic.connection import END_STATES, QuicConnection
from aioquic.quic.events import (
    ConnectionIdIssued,
    ConnectionIdRetired,
    ConnectionTerminated,
    ProtocolNegotiated,
    QuicEvent,
)
from aioquic.quic.packet import (
    QuicErrorCode,
    QuicHeader,
    QuicPacketType,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.retry import QuicRetryTokenHandler

from probe.methods.quic_trace import QuicTrace, TraceLogger

Address = tuple[str, int]
Datagrams = list[tuple[bytes, Address]]

CONTROL_ALPN, ROQ_ALPN = "probe/1", "roq"
ROQ_DATAGRAM_BYTES = 1252
"""UDP payload of test connections: a 1200-byte RTP packet fits one QUIC packet, and IPv4 over a path of
1280 carries it."""
MAX_DATAGRAM_FRAME = 65_536


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How many connections, and how long one may take to show its key or token (seconds)."""

    connections: int = 256
    unconfirmed: int = 64
    unconfirmed_per_source: int = 8
    confirm_timeout: float = 10.0


@dataclass(slots=True)
class ServerCounts:
    """What came and was not answered."""

    strays: int = 0
    refused: int = 0
    timed_out: int = 0
    broken: int = 0


def source(host: str) -> str:
    """The network that one customer may have many addresses of: IPv6 by /64."""
    address = ip_address(host.partition("%")[0])
    if address.version == 4:
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return f"{ip_address(int(address) >> 64 << 64)}/64"


class Peer:
    """One connection of the server. `alpn` is known from the first event on."""

    def __init__(self, quic: QuicConnection, trace: QuicTrace, address: Address, opened_at: float) -> None:
        self.quic, self.trace = quic, trace
        self.address = address
        self.opened_at = opened_at
        self.alpn = ""
        self.confirmed = False
        """Set by whoever accepts the peer's key or token."""
        self.kernel_stamped = False
        """Whether the last datagram's time was stamped by the kernel."""
        self.pump: Callable[[float], Datagrams] = quic.datagrams_to_send
        self.get_timer: Callable[[], float | None] = quic.get_timer
        """These two are replaced by whoever sends media on this connection."""

    def close(self, code: int, reason: str) -> None:
        """End the connection; the reason goes to the peer."""
        self.quic.close(error_code=code, reason_phrase=reason)


def server_configuration(certificate: object, private_key: object) -> QuicConfiguration:
    """`certificate` and `private_key` are objects of `cryptography`."""
    return QuicConfiguration(
        is_client=False,
        alpn_protocols=[CONTROL_ALPN, ROQ_ALPN],
        certificate=certificate,
        private_key=private_key,
        idle_timeout=30.0,
        max_datagram_size=ROQ_DATAGRAM_BYTES,
        max_datagram_frame_size=MAX_DATAGRAM_FRAME,
        quic_logger=TraceLogger(),
    )


class QuicServer:
    """Many `QuicConnection`s. After every verb take `next_event` until None, then `datagrams_to_send`.

    `random` gives that many random bytes.
    """

    def __init__(
        self,
        configuration: QuicConfiguration,
        *,
        random: Callable[[int], bytes],
        limits: ServerLimits | None = None,
    ) -> None:
        self.counts = ServerCounts()
        self.limits = limits or ServerLimits()
        self.just_pumped: list[tuple[Peer, int]] = []
        """Whose datagrams the last `datagrams_to_send` gave, and where each one's begin."""
        self._configuration = configuration
        self._by_cid: dict[bytes, Peer] = {}
        self._cids: dict[Peer, set[bytes]] = {}
        self._timers: dict[Peer, float] = {}
        self._touched: set[Peer] = set()
        self._events: deque[tuple[Peer, QuicEvent]] = deque()
        self._out: Datagrams = []
        self._retry = QuicRetryTokenHandler()
        self._random = random

    @property
    def peers(self) -> list[Peer]:
        return list(self._cids)

    def touch(self, peer: Peer) -> None:
        """Ask `peer` for datagrams next time: for whoever wrote to it without an event."""
        if peer in self._cids:
            self._touched.add(peer)

    # the five verbs

    def receive_datagram(
        self, data: bytes, addr: Address, now: float, *, kernel_stamped: bool = False
    ) -> None:
        try:
            header = pull_quic_header(
                Buffer(data=data), host_cid_length=self._configuration.connection_id_length
            )
        except ValueError:
            self.counts.strays += 1
            return
        peer = self._by_cid.get(header.destination_cid)
        if peer is None:
            peer = self._accept(header, data, addr, now)
            if peer is None:
                return
        peer.kernel_stamped = kernel_stamped
        peer.address = addr
        self._guarded(peer, lambda: peer.quic.receive_datagram(data, addr, now))

    def datagrams_to_send(self, now: float) -> Datagrams:
        out, self._out = self._out, []
        touched, self._touched = self._touched, set()
        self.just_pumped = []
        for peer in [peer for peer in touched if peer in self._cids]:
            start = len(out)
            self._guarded(peer, lambda peer=peer: out.extend(peer.pump(now)))  # type: ignore[misc]
            self._touched.discard(peer)
            if peer in self._cids:
                self.just_pumped.append((peer, start))
            timer = peer.get_timer() if peer in self._cids else None
            if not peer.confirmed:
                give_up_at = peer.opened_at + self.limits.confirm_timeout
                timer = give_up_at if timer is None else min(timer, give_up_at)
            if timer is not None and peer in self._cids:
                self._timers[peer] = timer
        return out

    def get_timer(self) -> float | None:
        if self._touched or self._out:
            return 0.0
        return min(self._timers.values(), default=None)

    def handle_timer(self, now: float) -> None:
        for peer in [peer for peer, timer in self._timers.items() if timer <= now]:
            if not peer.confirmed and now >= peer.opened_at + self.limits.confirm_timeout:
                self.counts.timed_out += 1
                self._end(peer, "no key or token in time")
                continue
            due = peer.quic.get_timer()
            if due is not None and due <= now:
                self._guarded(peer, lambda peer=peer: peer.quic.handle_timer(now))  # type: ignore[misc]
            else:
                self._touched.add(peer)

    def next_event(self) -> tuple[Peer, QuicEvent] | None:
        return self._events.popleft() if self._events else None

    # connections

    def _accept(self, header: QuicHeader, data: bytes, addr: Address, now: float) -> Peer | None:
        """A new connection, if this is how one begins and there is room for it."""
        full_size = len(data) >= SMALLEST_MAX_DATAGRAM_SIZE
        if header.version is not None and header.version not in self._configuration.supported_versions:
            # A Version Negotiation packet has version 0: never answer one, or two servers could be set
            # upon each other. A short datagram is not answered either (RFC 9000 6.1).
            if full_size and header.packet_type != QuicPacketType.VERSION_NEGOTIATION:
                self._out.append((self._version_negotiation(header), addr))
            return None
        if header.packet_type != QuicPacketType.INITIAL or not full_size:
            self.counts.strays += 1
            return None
        unconfirmed = [
            peer for peer in self._cids if not peer.confirmed and peer.quic._state not in END_STATES
        ]
        original, retried = header.destination_cid, None
        if header.token or len(unconfirmed) >= self.limits.unconfirmed // 2:
            try:
                original = self._retry.validate_token(
                    address=addr, destination_cid=header.destination_cid, token=header.token, now=now
                )
                retried = header.destination_cid
            except ValueError:
                self._out.append((self._ask_again(header, addr, now), addr))
                return None
        sources = Counter(source(peer.address[0]) for peer in unconfirmed)
        if (
            len(self._cids) >= self.limits.connections
            or len(unconfirmed) >= self.limits.unconfirmed
            or sources[source(addr[0])] >= self.limits.unconfirmed_per_source
        ):
            self.counts.refused += 1
            return None
        quic = QuicConnection(
            configuration=self._configuration,
            original_destination_connection_id=original,
            retry_source_connection_id=retried,
        )
        assert isinstance(quic._quic_logger, QuicTrace)
        peer = Peer(quic, quic._quic_logger, addr, now)
        self._cids[peer] = {header.destination_cid, quic.host_cid}
        self._by_cid |= dict.fromkeys(self._cids[peer], peer)
        return peer

    def _version_negotiation(self, header: QuicHeader) -> bytes:
        return encode_quic_version_negotiation(
            source_cid=header.destination_cid,
            destination_cid=header.source_cid,
            supported_versions=self._configuration.supported_versions,
        )

    def _ask_again(self, header: QuicHeader, addr: Address, now: float) -> bytes:
        assert header.version is not None
        chosen = self._random(self._configuration.connection_id_length)
        token = self._retry.create_token(
            address=addr,
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=chosen,
            now=now,
        )
        return encode_quic_retry(
            version=header.version,
            source_cid=chosen,
            destination_cid=header.source_cid,
            original_destination_cid=header.destination_cid,
            retry_token=token,
        )

    def _guarded(self, peer: Peer, act: Callable[[], object]) -> None:
        """Do something on a connection; one that breaks on what its peer sent ends alone."""
        try:
            act()
            self._collect(peer)
        except Exception:  # noqa: BLE001 (a public server outlives any single connection)
            self.counts.broken += 1
            self._end(peer, "broken")
            return
        if not peer.quic._network_paths:
            # Its first datagram was no Initial that can be read: nothing to answer to.
            self.counts.strays += 1
            self._forget(peer)
        elif peer in self._cids:
            self._touched.add(peer)

    def _collect(self, peer: Peer) -> None:
        while (event := peer.quic.next_event()) is not None:
            if isinstance(event, ConnectionIdIssued):
                self._cids[peer].add(event.connection_id)
                self._by_cid[event.connection_id] = peer
            elif isinstance(event, ConnectionIdRetired):
                self._cids[peer].discard(event.connection_id)
                self._by_cid.pop(event.connection_id, None)
            else:
                if isinstance(event, ProtocolNegotiated):
                    peer.alpn = event.alpn_protocol or ""
                self._events.append((peer, event))
                if isinstance(event, ConnectionTerminated):
                    self._forget(peer)
                    return

    def _end(self, peer: Peer, reason: str) -> None:
        """Drop a connection without a word to its peer."""
        event = ConnectionTerminated(
            error_code=QuicErrorCode.INTERNAL_ERROR, frame_type=0, reason_phrase=reason
        )
        self._events.append((peer, event))
        self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        for cid in self._cids.pop(peer, ()):
            self._by_cid.pop(cid, None)
        self._timers.pop(peer, None)
        self._touched.discard(peer)
