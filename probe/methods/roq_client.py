"""The session sender's side of RTP over QUIC: the same packets and rows as over UDP, on one connection.

`MediaClient` makes and reads the RTP packets; here they are framed, wait for the congestion window no
longer than half the playout deadline, and are told apart on arrival: a packet that QUIC had to
retransmit counts as lost and repaired.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from aioquic.quic.events import (
    DatagramFrameReceived,
    HandshakeCompleted,
    QuicEvent,
    StreamDataReceived,
)
from numpy.typing import NDArray

from probe.errors import NotMeasured, ProbeError, ProtocolError
from probe.methods.arrays import count_up
from probe.methods.batch import ADDRESS_BYTES, FOREVER, Batch
from probe.methods.media_client import MediaClient
from probe.methods.quic_client import NodeIdentity, client_connection, trace_of, why_closed
from probe.methods.quic_server import ROQ_ALPN, Address, Datagrams
from probe.methods.roq_reflector import BIND_STREAM, BOUND
from probe.methods.roq_sender import Outgoing, RoqSender, largest_packet
from probe.metrics import NEVER, Repair, Rows, Stamp, Times, Unsent
from probe.wire import media, rtp
from probe.wire.roq import StreamDecoder, decode_datagram

_WHOLE = 2048
_DATAGRAM_FRAME_BYTES = 1 + 4 + 8


class RoqClient:
    """A test connection: handshake, token, then the media that `start` is given.

    Verbs take seconds since `origin_ns` of the clock that `rows` are in. `streams`: one unidirectional
    stream a call each way, else DATAGRAM frames.
    """

    def __init__(
        self,
        identity: NodeIdentity,
        *,
        address: Address,
        token: bytes,
        streams: bool,
        deadline_ns: int,
        origin_ns: int = 0,
    ) -> None:
        self.handshake_at: float | None = None
        self.bound_at: float | None = None
        self.kernel_stamped = False
        """Whether the times of received datagrams are kernel stamps."""
        self.packets_back = 0
        """RTP packets received."""
        self._quic, self._identity = client_connection(identity, ROQ_ALPN), identity
        self._trace = trace_of(self._quic)
        self._trace.recording = True
        self._address, self._token = address, token
        self._streams_mode = streams
        self._origin_ns = origin_ns
        self._sender = RoqSender(
            self._quic,
            self._trace,
            streams=streams,
            time_field="t1",
            expire_ns=max(deadline_ns // 2, 1_000_000),
        )
        self._decoders: dict[int, StreamDecoder] = {}
        self._media: MediaClient | None = None
        self._rows: Rows = np.zeros(0, np.void)
        self._streams = self._ssrc_base = 0
        self._taken_ns: NDArray[np.int64] = np.zeros(0, np.int64)
        self._corrupt = 0

    # the connection

    @property
    def closed(self) -> ProbeError | None:
        """Why the connection has ended; None while it lives."""
        return why_closed(self._quic, self._identity)

    def connect(self, now: float) -> None:
        """Begin the handshake; `handshake_at` and then `bound_at` tell how far it is."""
        self._quic.connect(self._address, now)

    def close(self) -> None:
        """End the connection; send what `datagrams_to_send` gives after this."""
        self._quic.close()

    def check_size(self, largest: int) -> None:
        """Raise NotMeasured if an RTP packet of `largest` bytes does not fit this connection.

        aioquic would keep a too large DATAGRAM, and all behind it, for ever.
        """
        room = largest_packet(self._quic)
        if not self._streams_mode:
            theirs = self._quic._remote_max_datagram_frame_size
            if theirs is None:
                raise NotMeasured(f"{self._identity.server_name} does not take QUIC datagrams (RFC 9221)")
            room = min(room, theirs - _DATAGRAM_FRAME_BYTES)
        if largest > room:
            raise NotMeasured(f"packets of {largest} bytes do not fit QUIC packets that carry {room}")

    def start(self, media_client: MediaClient, rows: Rows, *, streams: int, ssrc_base: int) -> None:
        """Begin to send; to be called when bound. `rows` are those of `media_client`."""
        self._media, self._rows = media_client, rows
        self._streams, self._ssrc_base = streams, ssrc_base
        self._taken_ns = np.full(len(rows), NEVER, np.int64)

    # the five verbs

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        self._quic.receive_datagram(data, self._address, now)
        self._take_events(now)

    def handle_timer(self, now: float) -> None:
        due = self._quic.get_timer()
        if due is not None and now >= due:
            self._quic.handle_timer(now)
            self._take_events(now)

    def get_timer(self) -> float | None:
        timer = self._sender.get_timer()
        at_ns = self._media.next_time_ns() if self._media else FOREVER
        if at_ns != FOREVER:
            at = (at_ns - self._origin_ns) / 1e9
            timer = at if timer is None else min(timer, at)
        return timer

    def datagrams_to_send(self, now: float) -> Datagrams:
        now_ns = self._ns(now)
        self._schedule(now_ns)
        datagrams = self._sender.pump(now, now_ns)
        self.on_leaving(now_ns)
        if self._sender.dropped:
            self._rows["unsent"][[packet.tag for packet in self._sender.dropped]] = Unsent.CC_LIMITED
        if self._sender.repeated:
            count_up(self._rows["up_retransmissions"], np.array(self._sender.repeated))
        return datagrams

    def on_leaving(self, now_ns: int) -> None:
        """Correct the leaving time of the media just handed out: a carrier's last act before the send."""
        if self._sender.left:
            self._rows["sent_ns"][[packet.tag for packet in self._sender.left]] = now_ns

    def tags(self, count: int) -> NDArray[np.int64]:
        """(count,) which row's first transmission each datagram just handed out is; -1: of none."""
        tags = np.full(count, -1)
        self._sender.name(tags)
        return tags

    def on_transmitted(self, tags: NDArray[np.int64], time_ns: Times) -> None:
        """The kernel's word for when the datagrams of these `tags` left."""
        if self._media is not None:
            self._media.on_transmitted(tags, time_ns)

    # media

    @property
    def sends_media(self) -> bool:
        """Whether it was told to begin."""
        return self._media is not None

    @property
    def all_sent(self) -> bool:
        """Whether every scheduled packet has left or been given up."""
        return self._media is not None and self._media.all_sent and not self._sender.waiting

    def abort(self) -> None:
        """Give up what has not left: the session ends."""
        waiting = [packet.tag for packet in self._sender.waiting]
        self._sender.waiting.clear()
        self._rows["unsent"][waiting] = Unsent.CC_LIMITED
        if self._media is not None:
            self._rows["unsent"][self._media.unreached] = Unsent.ABORTED

    @property
    def taken_ns(self) -> NDArray[np.int64]:
        """When each row's packet was taken for sending: what the host's punctuality is judged by."""
        return self._taken_ns

    def counters(self) -> dict[str, Any]:
        """What QUIC did and how long packets waited for it (ms)."""
        trace, sender = self._trace, self._sender
        sent = self._rows["sent_ns"] != NEVER
        waited = np.sort(self._rows["sent_ns"][sent] - self._taken_ns[sent]) / 1e6
        return {
            "corrupt_roq": self._corrupt,
            "sender_queue_p50_ms": _rank(waited, 0.50),
            "sender_queue_p99_ms": _rank(waited, 0.99),
            "cc_limited": int((self._rows["unsent"] == Unsent.CC_LIMITED).sum()),
            "misnumbered": sender.misnumbered,
            "quic_packets_sent": trace.packets_sent,
            "quic_packets_received": trace.packets_received,
            "quic_declared_lost": trace.declared_lost,
            "quic_repeated_bytes": sender.repeated_bytes,
            "quic_window_min": trace.window_min,
            "quic_rtt_ms": self._quic._loss._rtt_smoothed * 1e3,
        }

    def _ns(self, now: float) -> int:
        return self._origin_ns + round(now * 1e9)

    def _schedule(self, now_ns: int) -> None:
        """Take what is due into the queue."""
        if self._media is None or self._media.next_time_ns() > now_ns:
            return
        batch = self._media.packets_to_send(now_ns, now_ns)
        keys = self._media.leaving
        self._rows["sent_ns"][keys] = NEVER
        self._taken_ns[keys] = now_ns
        for row, key in enumerate(keys.tolist()):
            data = batch.data[row : row + 1]
            self._sender.put(Outgoing(key, key % self._streams, data, int(batch.size[row]), now_ns))

    def _take_events(self, now: float) -> None:
        while (event := self._quic.next_event()) is not None:
            try:
                self._take(event, now)
            except ProtocolError:
                self._corrupt += 1

    def _take(self, event: QuicEvent, now: float) -> None:
        if isinstance(event, HandshakeCompleted):
            self.handshake_at = now
            self._identity.check(self._quic)
            self._quic.send_stream_data(BIND_STREAM, self._token)
        elif isinstance(event, DatagramFrameReceived):
            self._take_packet(decode_datagram(event.data)[1], now)
        elif isinstance(event, StreamDataReceived):
            if event.stream_id == BIND_STREAM:
                if event.data.startswith(BOUND) and self.bound_at is None:
                    self.bound_at = now
                return
            decoder = self._decoders.setdefault(event.stream_id, StreamDecoder())
            for _, packet in decoder.feed(event.data):
                self._take_packet(packet, now)

    def _take_packet(self, packet: bytes, now: float) -> None:
        if self._media is None or not media.MIN_PACKET_BYTES <= len(packet) <= _WHOLE:
            raise ProtocolError("not a reflection of ours")
        data = np.zeros((1, len(packet) + 1 & ~1), np.uint8)
        data[0, : len(packet)] = np.frombuffer(packet, np.uint8)
        size, time_ns = np.array([len(packet)], np.int64), np.array([self._ns(now)], np.int64)
        address = np.zeros((1, ADDRESS_BYTES), np.uint8)
        self.packets_back += 1
        counts = self._media.counts
        before = counts.corrupt + counts.strays
        self._media.receive(Batch(data, size, time_ns, address, self.kernel_stamped))
        if self._streams_mode and counts.corrupt + counts.strays == before:
            self._note_repairs(data, size)

    def _note_repairs(self, data: NDArray[np.uint8], size: NDArray[np.int64]) -> None:
        """What came by retransmission, in either direction, is not the first transmission's arrival."""
        payload = media.payloads(data)[0]
        stream = (int(rtp.read_headers(data, size).ssrc[0]) - self._ssrc_base) & media.SLOT_MASK
        key = int(payload["index"]) * self._streams + stream
        rows = self._rows
        if payload["flags"] & media.UP_REPAIRED:
            rows["up_repaired_ns"][key] = rows["node_received_ns"][key]
            rows["up_repair"][key] = Repair.QUIC
            rows["node_received_ns"][key] = NEVER
        if int(payload["stamped"]) not in self._trace.received and rows["received_ns"][key] != NEVER:
            rows["down_repaired_ns"][key] = rows["received_ns"][key]
            rows["down_repair"][key] = Repair.QUIC
            rows["down_retransmissions"][key] = 1
            rows["received_ns"][key] = NEVER
            rows["stamps"][key] &= np.uint8(~Stamp.RECEIVED & 0xFF)


def _rank(ordered: NDArray[np.float64], share: float) -> float | None:
    return float(ordered[max(int(np.ceil(share * len(ordered))) - 1, 0)]) if len(ordered) else None
