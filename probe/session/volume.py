"""What sessions put on the wire, both ways: foreseen from the plan, and afterwards from what they counted.

Bytes of IPv4 packets: the RTP packets and their reflections, what QUIC adds, the receive log that the node hands
over, and what it takes to connect. IPv6 adds 20 to each packet.
"""

from __future__ import annotations

from collections.abc import Iterable

from probe.methods.negotiation import UDP
from probe.plan.estimate import estimate_session
from probe.plan.expand import SessionSpec
from probe.records import SessionRecord
from probe.wire.log import LOG

UDP_BYTES = 20 + 8
"""IPv4 and UDP headers."""
QUIC_BYTES = 100
"""What QUIC adds to a media packet: header, tag and frame, and an acknowledgement in a packet of its own.
Measured on loopback with voice: 95 with DATAGRAM frames, 100 with streams."""
CONNECT_BYTES = 7_000
"""Handshakes, control messages and bind of a session; measured on loopback."""
CONTROL_BYTES_S = 330
"""What the control channel sends to a node in a second of a stream: it asks for the log and acknowledges it. Measured on
loopback with voice: 267 to 493."""


def foreseen(spec: SessionSpec) -> int:
    """Bytes of a session that loses nothing."""
    estimate = estimate_session(spec)
    ways = 1 if spec.scenario.stream.one_way else 2
    control = CONTROL_BYTES_S * spec.scenario.stream.duration_ns // 1_000_000_000
    return ways * _media(spec) + control + estimate.packets * LOG.itemsize + CONNECT_BYTES


def rate_bps(spec: SessionSpec) -> int:
    """Bits a second that a session sends to a node while its stream lasts, on average and if nothing is repaired."""
    return round(8e9 * _media(spec) / spec.scenario.stream.duration_ns) + 8 * CONTROL_BYTES_S


def _media(spec: SessionSpec) -> int:
    """Bytes of one direction: what is due, and what protects it."""
    estimate = estimate_session(spec)
    per_packet = UDP_BYTES + (0 if spec.transport == UDP else QUIC_BYTES)
    return (
        estimate.bytes_up
        + round(estimate.packets * spec.scenario.recovery.protection.packets_ratio()) * per_packet
    )


def repairs(record: SessionRecord) -> int:
    """Bytes that a session sent again, by what both its ends counted."""
    ends = (record.client, record.counters)
    copies = _sum(end.get("retransmissions_sent") for end in ends) * UDP_BYTES
    return copies + _sum(
        end.get(name) for end in ends for name in ("retransmission_bytes", "quic_repeated_bytes")
    )


def _sum(counts: Iterable[object]) -> int:
    return sum(count for count in counts if isinstance(count, int))
