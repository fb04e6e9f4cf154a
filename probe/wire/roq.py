"""RTP over QUIC framing (draft-ietf-avtcore-rtp-over-quic-14, sections 4 to 6).

A DATAGRAM is a flow identifier and one RTP or RTCP packet. A unidirectional stream is a flow identifier
and then any number of packets, each behind its length. Identifiers and lengths are QUIC
variable-length integers (RFC 9000 section 16).
"""

from __future__ import annotations

from probe.errors import ProtocolError

MAX_VARINT = (1 << 62) - 1
MAX_PACKET = 65_535
"""Bytes of the longest packet taken from a stream: no RTP packet that also fits UDP is longer."""


def encode_varint(value: int) -> bytes:
    """The shortest encoding of `value`, 0 to `MAX_VARINT`; ValueError outside."""
    for exponent in range(4):
        length = 1 << exponent
        if 0 <= value < 1 << (8 * length - 2):
            return (exponent << (8 * length - 2) | value).to_bytes(length, "big")
    raise ValueError(f"{value} is no QUIC variable-length integer")


def read_varint(data: bytes | bytearray, at: int = 0) -> tuple[int, int] | None:
    """Read the integer at byte `at`: its value and where it ends, or None if `data` ends before it does.

    Longer encodings than necessary are valid (RFC 9000 section 16).
    """
    if at >= len(data):
        return None
    length = 1 << (data[at] >> 6)
    end = at + length
    if end > len(data):
        return None
    return int.from_bytes(data[at:end], "big") & ((1 << (8 * length - 2)) - 1), end


def encode_datagram(flow_id: int, packet: bytes) -> bytes:
    """The payload of a DATAGRAM frame that carries `packet`."""
    return encode_varint(flow_id) + packet


def decode_datagram(data: bytes) -> tuple[int, bytes]:
    """Read the flow identifier and the packet from the payload of a DATAGRAM frame.

    Raises:
        ProtocolError: There is no whole flow identifier, or no packet behind it.
    """
    flow = read_varint(data)
    if flow is None:
        raise ProtocolError("RoQ datagram ends inside its flow identifier")
    flow_id, at = flow
    if at == len(data):
        raise ProtocolError("RoQ datagram without a packet")
    return flow_id, data[at:]


def encode_stream_header(flow_id: int) -> bytes:
    """What every stream starts with, once."""
    return encode_varint(flow_id)


def encode_stream_packet(packet: bytes) -> bytes:
    """One packet (of 1 to `MAX_PACKET` bytes) on a stream."""
    return encode_varint(len(packet)) + packet


class StreamDecoder:
    """Takes the bytes of one stream in pieces of any size and gives back its packets."""

    def __init__(self) -> None:
        self.flow_id: int | None = None
        """None until the stream has told it."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take the next bytes; give (flow identifier, packet) for each packet that is complete now.

        Raises:
            ProtocolError: A length that no packet has. The stream is lost: the next call raises again.
        """
        buffer = self._buffer
        buffer += data
        at = 0
        if self.flow_id is None:
            flow = read_varint(buffer)
            if flow is None:
                return []
            self.flow_id, at = flow
        packets: list[tuple[int, bytes]] = []
        while (head := read_varint(buffer, at)) is not None:
            length, start = head
            if not 1 <= length <= MAX_PACKET:
                del buffer[:at]
                raise ProtocolError(f"RoQ stream with a packet of {length} bytes")
            if start + length > len(buffer):
                break
            at = start + length
            packets.append((self.flow_id, bytes(buffer[start:at])))
        del buffer[:at]
        return packets
