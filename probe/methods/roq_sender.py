"""The sending half of RTP over QUIC: one RTP packet in one QUIC packet, whose number it carries.

aioquic queues without bound or expiry behind its congestion window. Here packets wait outside of it and
are handed over one at a time, only when they can leave at once: so the moment of leaving is known, a
stale packet is dropped and counted instead of queued, and the number of the QUIC packet that carries a
packet first is known before it is built. The packet tells that number to the other end, which knows the
numbers that arrived: raw loss is exact also where QUIC repairs it (draft-ietf-avtcore-rtp-over-quic).
"""

from __future__ import annotations

from bisect import bisect
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from aioquic.quic.connection import END_STATES, QuicConnection
from numpy.typing import NDArray

from probe.methods.quic_server import Datagrams
from probe.methods.quic_trace import QuicTrace, StreamBytes
from probe.wire import media, roq

_AEAD_TAG_BYTES = 16
_FRAME_BYTES = 1 + 8 + 4 + 2
"""Type, flow and stream identifier, offset and length: the most that our frames need."""


def largest_packet(quic: QuicConnection) -> int:
    """The longest RTP packet that fits a single QUIC packet of this connection."""
    header = 1 + len(quic._peer_cid.cid) + 2  # short header with a two-byte packet number
    return quic._max_datagram_size - header - _AEAD_TAG_BYTES - _FRAME_BYTES


class Outgoing(NamedTuple):
    """A packet on its way into the connection. `tag` is the owner's; `data` has one row."""

    tag: int
    flow: int
    data: NDArray[np.uint8]
    size: int
    since_ns: int


@dataclass(slots=True)
class _Stream:
    """A unidirectional stream of ours: which packet (`tags`) ends where (`ends`)."""

    stream_id: int
    written: int = 0
    ends: list[int] = field(default_factory=list)
    tags: list[int] = field(default_factory=list)


class RoqSender:
    """Packets of any number of flows over one connection, in DATAGRAM frames or one stream a flow.

    `field` of the payload is set to the time of leaving ("t1" at a client, "t3" at a node). A packet that
    could not leave within `expire_ns` is dropped.
    """

    def __init__(
        self,
        quic: QuicConnection,
        trace: QuicTrace,
        *,
        streams: bool,
        time_field: Literal["t1", "t3"],
        expire_ns: int,
    ) -> None:
        self.left: list[Outgoing] = []
        """What left with the last `pump`."""
        self.places: list[int] = []
        """Which of the datagrams that `pump` gave carries each of them."""
        self.dropped: list[Outgoing] = []
        """What the last `pump` gave up."""
        self.repeated: list[int] = []
        """Tags whose bytes the last `pump` retransmitted."""
        self.repeated_bytes = 0
        self.misnumbered = 0
        """Packets that left in another QUIC packet than they say; expected never to happen."""
        self._quic, self._trace = quic, trace
        self._streams_mode = streams
        self._time_field = time_field
        self._expire_ns = expire_ns
        self._queue: deque[Outgoing] = deque()
        self._flows: dict[int, _Stream] = {}
        self._by_id: dict[int, _Stream] = {}
        self._paced_at: float | None = None

    @property
    def waiting(self) -> deque[Outgoing]:
        """Packets that have not left, oldest first."""
        return self._queue

    @property
    def ended(self) -> bool:
        """Whether the connection can send no more."""
        return self._quic._state in END_STATES

    def put(self, packet: Outgoing) -> None:
        """Take a packet; it leaves with one of the next `pump`s."""
        self._queue.append(packet)

    def get_timer(self) -> float | None:
        """When `pump` has something to do (seconds), None if only an event can tell."""
        timer = self._quic.get_timer()
        if self._queue and self._paced_at is not None and (timer is None or self._paced_at < timer):
            return self._paced_at
        return timer

    def pump(self, now: float, now_ns: int) -> Datagrams:
        """All datagrams that can leave now; `now` and `now_ns` are the same instant."""
        self.left, self.places, self.dropped, self.repeated = [], [], [], []
        self._paced_at = None
        # First what QUIC itself has to say (ACK, lost bytes): the next packet then carries ours alone.
        datagrams: Datagrams = self._quic.datagrams_to_send(now)
        self._note_sent()
        while self._queue:
            packet = self._queue[0]
            if now_ns - packet.since_ns > self._expire_ns:
                self.dropped.append(self._queue.popleft())
            elif not self._may_leave(packet, now) or (sent := self._hand_over(packet, now, now_ns)) is None:
                break
            else:
                # Nothing else was waiting for the connection: the first that it gives is this packet's.
                self.places.append(len(datagrams))
                datagrams += sent
                self.left.append(self._queue.popleft())
        return datagrams

    def name(self, tags: NDArray[np.int64], base: int = 0) -> None:
        """Write the tags of the packets that left, from `base` on, into those of the datagrams that `pump` gave."""
        tags[self.places] = [base + packet.tag for packet in self.left]

    def _may_leave(self, packet: Outgoing, now: float) -> bool:
        quic = self._quic
        if self.ended or quic._close_pending or not quic._handshake_complete:
            return False
        room = quic._loss.congestion_window - quic._loss.bytes_in_flight
        if room < packet.size + quic._max_datagram_size - largest_packet(quic):
            return False
        paced_at = quic._loss._pacer.next_send_time(now=now)
        if paced_at is not None:
            # aioquic's pacer takes every packet for one of full size; RFC 9002 7.7 paces bytes.
            self._paced_at = now + (paced_at - now) * packet.size / quic._max_datagram_size
            return False
        if not self._streams_mode:
            return True
        stream = quic._get_or_create_stream_for_send(self._stream(packet.flow).stream_id)
        used = packet.size + 2 * 8
        return (
            not stream.is_blocked
            and not len(stream.sender._pending)  # a RangeSet has no truth value
            and stream.max_stream_data_remote - stream.sender.highest_offset >= used
            and quic._remote_max_data - quic._remote_max_data_used >= used
        )

    def _hand_over(self, packet: Outgoing, now: float, now_ns: int) -> Datagrams | None:
        """Give one packet to QUIC and take what leaves; None if QUIC holds it back all the same."""
        quic = self._quic
        number = quic._packet_number
        payload = media.payloads(packet.data)
        payload[self._time_field], payload["stamped"] = now_ns, number
        payload["check"] = media.checksums(packet.data)
        data = packet.data[0, : packet.size].tobytes()
        if not self._streams_mode:
            quic.send_datagram_frame(roq.encode_datagram(packet.flow, data))
            sent = quic.datagrams_to_send(now)
            if quic._datagrams_pending:
                quic._datagrams_pending.pop()
                self._note_sent()
                return None
            self._check(number, datagrams=1)
            return sent
        stream = self._stream(packet.flow)
        head = b"" if stream.written else roq.encode_stream_header(packet.flow)
        framed = head + roq.encode_stream_packet(data)
        quic.send_stream_data(stream.stream_id, framed)
        start, stream.written = stream.written, stream.written + len(framed)
        stream.ends.append(stream.written)
        stream.tags.append(packet.tag)
        sent = quic.datagrams_to_send(now)
        self._check(number, StreamBytes(stream.stream_id, start, len(framed)))
        return sent

    def _check(self, number: int, frame: StreamBytes | None = None, *, datagrams: int = 0) -> None:
        """Count a packet that is not wholly in QUIC packet `number`."""
        sent = next((item for item in self._trace.take_sent() if item.number == number), None)
        if sent is None or sent.datagrams != datagrams or (frame and frame not in sent.stream_bytes):
            self.misnumbered += 1

    def _stream(self, flow: int) -> _Stream:
        stream = self._flows.get(flow)
        if stream is None:
            stream = _Stream(self._quic.get_next_available_stream_id(is_unidirectional=True))
            self._quic.send_stream_data(stream.stream_id, b"")  # takes the identifier
            self._flows[flow] = self._by_id[stream.stream_id] = stream
        return stream

    def _note_sent(self) -> None:
        """Note retransmissions: all stream bytes that QUIC sends of its own accord have left before."""
        for item in self._trace.take_sent():
            for frame in item.stream_bytes:
                stream = self._by_id.get(frame.stream_id)
                if stream is not None and frame.length:
                    self.repeated_bytes += frame.length
                    first = bisect(stream.ends, frame.offset)
                    last = bisect(stream.ends, frame.offset + frame.length - 1)
                    self.repeated += stream.tags[first : last + 1]
