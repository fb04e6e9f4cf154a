"""One RTP over QUIC session as a node keeps it: the UDP session's log and reflections, on a connection."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from aioquic.quic.events import DatagramFrameReceived, QuicEvent, StreamDataReceived
from numpy.typing import NDArray

from probe.errors import ProtocolError
from probe.methods.batch import ADDRESS_BYTES, Batch
from probe.methods.negotiation import QUIC_STREAM, Grant
from probe.methods.quic_server import Datagrams, Peer
from probe.methods.quic_trace import QuicTrace
from probe.methods.reflected_session import ReflectedSession
from probe.methods.reflections import LOG_ROW_BITS
from probe.methods.roq_sender import Outgoing, RoqSender
from probe.metrics import NEVER
from probe.wire import log, media
from probe.wire.roq import StreamDecoder, decode_datagram

EXPIRE_NS = 1_000_000_000
"""A reflection that the congestion window held for longer is not sent: it would count as lost by then."""


class RoqSession:
    """Takes media from the connection that showed the session's token, logs it and sends it back."""

    def __init__(self, grant: Grant, socket_dropped: int) -> None:
        self.grant = grant
        self.log_rows = np.zeros(grant.streams * grant.packets + 1024, log.LOG)
        self._t3, self._flags = self.log_rows["t3"], self.log_rows["flags"]
        self.peer: Peer | None = None
        self.unsent = 0
        """Reflections given up because of our own congestion window."""
        self._streams_mode = grant.transport == QUIC_STREAM
        self._address = np.zeros((1, ADDRESS_BYTES), np.uint8)
        self._sender: RoqSender | None = None
        self._trace: QuicTrace | None = None
        self._decoders: dict[int, StreamDecoder] = {}
        self._session = ReflectedSession(
            grant.session,
            grant.token,
            ssrc_base=grant.ssrc_base,
            streams=grant.streams,
            packets=grant.packets,
            rate_pps=grant.rate_pps,
            nack=False,
            one_way=grant.one_way,
            log_rows=self.log_rows,
        )
        self._session.dropped_before = socket_dropped
        self._session.bind(self._address[0])

    def bind(self, peer: Peer) -> None:
        """Take media from, and send to, this connection."""
        peer.trace.recording = True
        self.peer, self._trace = peer, peer.trace
        self._decoders = {}
        self._sender = RoqSender(
            peer.quic, peer.trace, streams=self._streams_mode, time_field="t3", expire_ns=EXPIRE_NS
        )
        peer.pump, peer.get_timer = self.pump, self._sender.get_timer

    def handle(self, event: QuicEvent, now: float) -> None:
        """Take an event of the bound connection; raises ProtocolError when it is no RTP over QUIC."""
        if isinstance(event, DatagramFrameReceived) and not self._streams_mode:
            self._take(decode_datagram(event.data)[1], now)
        elif isinstance(event, StreamDataReceived) and self._streams_mode and event.stream_id % 4 == 2:
            decoder = self._decoders.get(event.stream_id)
            if decoder is None:
                if len(self._decoders) >= self.grant.streams:
                    raise ProtocolError("more streams than the session was granted")
                decoder = self._decoders[event.stream_id] = StreamDecoder()
            for _, packet in decoder.feed(event.data):
                self._take(packet, now)

    def _take(self, packet: bytes, now: float) -> None:
        assert self.peer is not None
        if len(packet) > self.grant.packet_bytes:
            self._session.counts.corrupt += 1
            return
        data = np.zeros((1, max(len(packet) + 1 & ~1, media.MIN_PACKET_BYTES)), np.uint8)
        data[0, : len(packet)] = np.frombuffer(packet, np.uint8)
        size, time_ns = np.array([len(packet)], np.int64), np.array([round(now * 1e9)], np.int64)
        batch = Batch(data, size, time_ns, self._address, self.peer.kernel_stamped)
        row = self._session.counts.logged
        self._session.receive(batch, media.read_words(data))
        if self._session.counts.logged == row:
            return
        first_lost = (
            self._streams_mode and int(media.payloads(data)["stamped"][0]) not in self.peer.trace.received
        )
        if first_lost:
            self.log_rows["flags"][row] |= log.FIRST_LOST
        reflection = self._session.packets_to_send(int(time_ns[0]), int(time_ns[0]))
        if len(reflection.size) and self._sender is not None:
            # It leaves when QUIC lets it; until then it has not left.
            self.log_rows["t3"][row] = NEVER
            if first_lost:
                media.payloads(reflection.data)["flags"] |= media.UP_REPAIRED
            flow = int(self.log_rows["stream"][row])
            self._sender.put(Outgoing(row, flow, reflection.data, len(packet), int(time_ns[0])))

    def pump(self, now: float) -> Datagrams:
        """What leaves now."""
        assert self._sender is not None
        now_ns = round(now * 1e9)
        datagrams = self._sender.pump(now, now_ns)
        self.unsent += len(self._sender.dropped)
        self.on_leaving(now_ns)
        return datagrams

    def on_leaving(self, now_ns: int) -> None:
        """Correct the leaving time of what was just handed out: a carrier's last act before the send."""
        if self._sender is not None and self._sender.left:
            self._t3[[packet.tag for packet in self._sender.left]] = now_ns

    def name(self, tags: NDArray[np.int64]) -> None:
        """Write into `tags`, of the datagrams that `pump` gave, which row of the log each sends back."""
        if self._sender is not None:
            self._sender.name(tags, self.grant.session << LOG_ROW_BITS)

    def on_transmitted(self, row: int, left_ns: int) -> None:
        """The kernel's word for when the reflection of this row of the log left; it goes with the log."""
        self._t3[row] = left_ns
        self._flags[row] |= log.KERNEL_T3

    def log(self, after: int, limit: int) -> NDArray[np.void]:
        """Rows `after ..`, up to the first whose reflection has not left yet."""
        end = self._session.counts.logged
        if self._sender is not None and self._sender.waiting and not self._sender.ended:
            end = self._sender.waiting[0].tag
        return self.log_rows[after : min(end, after + limit)].copy()

    def note_host(self, stall_ns: int, clock_step_ns: int) -> None:
        """How late the node's loop came round, and how far its wall clock was stepped."""
        counts = self._session.counts
        counts.stall_ns = max(counts.stall_ns, stall_ns)
        counts.clock_step_ns = max(counts.clock_step_ns, clock_step_ns, key=abs)

    def report(self, socket_dropped: int) -> dict[str, Any]:
        """The UDP session's counters and QUIC's own; `socket_dropped` is the node's total now."""
        self._session.counts.socket_dropped = socket_dropped - self._session.dropped_before
        counters = asdict(self._session.counts) | {"reflections_unsent": self.unsent}
        if self._sender is not None and self._trace is not None:
            trace = self._trace
            counters |= {
                "misnumbered": self._sender.misnumbered,
                "quic_packets_sent": trace.packets_sent,
                "quic_packets_received": trace.packets_received,
                "quic_declared_lost": trace.declared_lost,
                "quic_repeated_bytes": self._sender.repeated_bytes,
                "quic_window_min": trace.window_min,
            }
        return counters
