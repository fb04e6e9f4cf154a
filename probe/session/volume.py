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


def foreseen(spec: SessionSpec) -> int:
    """Bytes of a session that loses nothing."""
    estimate = estimate_session(spec)
    per_packet = UDP_BYTES + (0 if spec.transport == UDP else QUIC_BYTES)
    ways = 1 if spec.scenario.stream.one_way else 2
    leaving = round(ways * estimate.packets * spec.scenario.recovery.protection.packets_ratio())
    media = estimate.bytes_up + estimate.bytes_down + leaving * per_packet
    return media + estimate.packets * LOG.itemsize + CONNECT_BYTES


def repairs(record: SessionRecord) -> int:
    """Bytes that a session sent again, by what both its ends counted."""
    ends = (record.client, record.counters)
    copies = _sum(end.get("retransmissions_sent") for end in ends) * UDP_BYTES
    return copies + _sum(
        end.get(name) for end in ends for name in ("retransmission_bytes", "quic_repeated_bytes")
    )


def _sum(counts: Iterable[object]) -> int:
    return sum(count for count in counts if isinstance(count, int))
