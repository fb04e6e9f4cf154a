"""What a QUIC connection put into which packet: aioquic's logger interface, keeping only what we need.

A full qlog nearly doubles the cost of a packet; this keeps packet numbers of 1-RTT packets, the stream
bytes they carried, and counts.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, NamedTuple

from aioquic.quic.logger import QuicLogger, QuicLoggerTrace

from probe.methods.packet_numbers import PacketNumbers

# What aioquic logs is told by our own errors, in a sentence; unhandled it would go to stderr as it is.
logging.getLogger("quic").addHandler(logging.NullHandler())


class StreamBytes(NamedTuple):
    """A STREAM frame."""

    stream_id: int
    offset: int
    length: int


class SentPacket(NamedTuple):
    """A 1-RTT packet that was built: its number, its STREAM frames and how many DATAGRAM frames it has."""

    number: int
    stream_bytes: tuple[StreamBytes, ...]
    datagrams: int


class QuicTrace(QuicLoggerTrace):
    """One connection's record; nothing is kept until `recording` is set."""

    def __init__(self, *, is_client: bool, odcid: bytes) -> None:
        super().__init__(is_client=is_client, odcid=odcid)
        self.recording = False
        self.received = PacketNumbers()
        """1-RTT packets that arrived."""
        self.packets_sent = 0
        self.packets_received = 0
        self.declared_lost = 0
        """By QUIC loss detection, including the packet that a probe timeout repeats."""
        self.window_min: int | None = None
        """Smallest congestion window, bytes."""
        self._sent: deque[SentPacket] = deque()

    def take_sent(self) -> list[SentPacket]:
        """The packets built since the last call."""
        sent = list(self._sent)
        self._sent.clear()
        return sent

    def log_event(self, *, category: str, event: str, data: dict[str, Any]) -> None:
        if not self.recording:
            return
        if event == "metrics_updated":
            window = data["cwnd"]
            if self.window_min is None or window < self.window_min:
                self.window_min = window
        elif event == "packet_sent" and data["header"]["packet_type"] == "1RTT":
            self.packets_sent += 1
            self._sent.append(_sent_packet(data["header"]["packet_number"], data["frames"]))
        elif event == "packet_received" and data["header"]["packet_type"] == "1RTT":
            self.packets_received += 1
            self.received.add(data["header"]["packet_number"])
        elif event == "packet_lost":
            self.declared_lost += 1


def _sent_packet(number: int, frames: list[dict[str, Any]]) -> SentPacket:
    stream_bytes, datagrams = [], 0
    for frame in frames:
        kind = frame["frame_type"]
        if kind == "stream":
            stream_bytes.append(StreamBytes(frame["stream_id"], frame["offset"], frame["length"]))
        elif kind == "datagram":
            datagrams += 1
    return SentPacket(number, tuple(stream_bytes), datagrams)


class TraceLogger(QuicLogger):
    """Gives each connection a `QuicTrace` and keeps none; `trace_of` finds a connection's."""

    def start_trace(self, is_client: bool, odcid: bytes) -> QuicLoggerTrace:
        return QuicTrace(is_client=is_client, odcid=odcid)

    def end_trace(self, trace: QuicLoggerTrace) -> None:
        """The trace lives as long as whoever reads it."""
