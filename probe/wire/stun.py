"""STUN Binding: which address does the other side see? (RFC 8489)

Requests, success responses with XOR-MAPPED-ADDRESS, and the error response to a request that asks for
more than this. Without authentication, as section 12 has it for a basic server.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from zlib import crc32

from probe.errors import ProtocolError

MAGIC_COOKIE = 0x2112A442
TRANSACTION_ID_BYTES = 12

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_FINGERPRINT_XOR = 0x5354554E


class MessageType(IntEnum):
    """The Binding method with its classes (RFC 8489 section 5)."""

    BINDING_REQUEST = 0x0001
    BINDING_SUCCESS = 0x0101
    BINDING_ERROR = 0x0111


class AttributeType(IntEnum):
    """RFC 8489 section 18.3."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    USERHASH = 0x001E
    XOR_MAPPED_ADDRESS = 0x0020
    FINGERPRINT = 0x8028


COMPREHENSION_OPTIONAL = 0x8000
"""Types from here on may be ignored (RFC 8489 section 14)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A STUN message whose structure, and FINGERPRINT if it has one, are right."""

    type: int
    transaction_id: bytes
    attributes: tuple[tuple[int, bytes], ...]

    def first(self, kind: AttributeType) -> bytes | None:
        """The value of the first attribute of this type; further ones are to be ignored (section 14)."""
        return next((value for number, value in self.attributes if number == kind), None)

    @property
    def mapped_address(self) -> tuple[str, int]:
        """Address and port in XOR-MAPPED-ADDRESS; ProtocolError if there is none (section 14.2)."""
        value = self.first(AttributeType.XOR_MAPPED_ADDRESS)
        if value is None:
            raise ProtocolError("STUN message without XOR-MAPPED-ADDRESS")
        family, length = value[1:2], len(value) - 4
        if (family, length) not in ((b"\1", 4), (b"\2", 16)):
            raise ProtocolError("STUN XOR-MAPPED-ADDRESS is malformed")
        port = int.from_bytes(value[2:4], "big") ^ MAGIC_COOKIE >> 16
        return str(ip_address(_xor(value[4:], self.transaction_id))), port


def parse(data: bytes) -> Message:
    """Read one datagram.

    Raises:
        ProtocolError: It is no STUN message of RFC 8489, or its FINGERPRINT is wrong or not the last.
    """
    if len(data) < _HEADER.size:
        raise ProtocolError("datagram is shorter than a STUN header")
    kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if kind >> 14 or cookie != MAGIC_COOKIE:
        raise ProtocolError("datagram is not STUN")
    if length % 4 or length != len(data) - _HEADER.size:
        raise ProtocolError("STUN message is not as long as its datagram")
    attributes = []
    at = _HEADER.size
    while at < len(data):
        number, size = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + _ATTRIBUTE.size : at + _ATTRIBUTE.size + size]
        if len(value) < size:
            raise ProtocolError("STUN attribute is longer than its message")
        end = at + _ATTRIBUTE.size + size + -size % 4
        if number == AttributeType.FINGERPRINT and (end != len(data) or value != _fingerprint(data[:at])):
            raise ProtocolError("STUN FINGERPRINT does not match the message")
        attributes.append((number, value))
        at = end
    return Message(kind, transaction_id, tuple(attributes))


def binding_request(transaction_id: bytes) -> bytes:
    """A Binding request with FINGERPRINT; the 12 bytes of `transaction_id` are to be random."""
    return _encode(MessageType.BINDING_REQUEST, transaction_id, b"", fingerprint=True)


def binding_response(request: bytes, address: tuple[str, int]) -> bytes:
    """Answer a Binding request that came from `address` (host without name lookup, port).

    A request with attributes that must be comprehended and are not gets the error response 420
    (section 6.3.1). FINGERPRINT is answered with FINGERPRINT, and there is no SOFTWARE and no reason
    phrase: whoever sends from a forged address is to gain as little as can be.

    Raises:
        ProtocolError: `request` is not a Binding request; nothing is to be sent back.
    """
    message = parse(request)
    if message.type != MessageType.BINDING_REQUEST:
        raise ProtocolError(f"STUN message of type 0x{message.type:04x} is not a Binding request")
    fingerprint = message.first(AttributeType.FINGERPRINT) is not None
    known = frozenset(AttributeType)
    unknown = [kind for kind, _ in message.attributes if kind < COMPREHENSION_OPTIONAL and kind not in known]
    if unknown:
        error = _attribute(AttributeType.ERROR_CODE, bytes([0, 0, 4, 20]))
        listed = _attribute(AttributeType.UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown))
        return _encode(
            MessageType.BINDING_ERROR, message.transaction_id, error + listed, fingerprint=fingerprint
        )
    mapped = _attribute(AttributeType.XOR_MAPPED_ADDRESS, _xor_address(address, message.transaction_id))
    return _encode(MessageType.BINDING_SUCCESS, message.transaction_id, mapped, fingerprint=fingerprint)


def _encode(kind: MessageType, transaction_id: bytes, attributes: bytes, *, fingerprint: bool) -> bytes:
    if len(transaction_id) != TRANSACTION_ID_BYTES:
        raise ValueError(f"a STUN transaction id has {TRANSACTION_ID_BYTES} bytes, not {len(transaction_id)}")
    length = len(attributes) + (_ATTRIBUTE.size + 4) * fingerprint
    message = _HEADER.pack(kind, length, MAGIC_COOKIE, transaction_id) + attributes
    if fingerprint:
        message += _attribute(AttributeType.FINGERPRINT, _fingerprint(message))
    return message


def _attribute(kind: AttributeType, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _fingerprint(before: bytes) -> bytes:
    """Section 14.7; the length in the header already counts the FINGERPRINT itself."""
    return struct.pack("!I", crc32(before) ^ _FINGERPRINT_XOR)


def _xor_address(address: tuple[str, int], transaction_id: bytes) -> bytes:
    host: IPv4Address | IPv6Address = ip_address(address[0])
    # A dual-stack socket shows an IPv4 peer as ::ffff:a.b.c.d, which is not what that peer sent from.
    if isinstance(host, IPv6Address) and host.ipv4_mapped:
        host = host.ipv4_mapped
    family = 1 if host.version == 4 else 2
    return struct.pack("!xBH", family, address[1] ^ MAGIC_COOKIE >> 16) + _xor(host.packed, transaction_id)


def _xor(address: bytes, transaction_id: bytes) -> bytes:
    mask = struct.pack("!I", MAGIC_COOKIE) + transaction_id
    return bytes(a ^ b for a, b in zip(address, mask, strict=False))
