"""(host, port) pairs and the packed sockaddr bytes that batches carry."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import sys

import numpy as np
from numpy.typing import NDArray

from probe.errors import Unreachable
from probe.methods.batch import ADDRESS_BYTES

Address = tuple[str, int]

# BSDs put the structure's length before a one-byte family.
_HAS_LENGTH = sys.platform == "darwin" or "bsd" in sys.platform


def family_of(host: str) -> socket.AddressFamily:
    """The address family of a numeric host."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def pack_address(address: Address) -> bytes:
    """The sockaddr of a numeric address, padded to ADDRESS_BYTES."""
    host, port = address[0], address[1]
    family = family_of(host)
    length = 28 if family == socket.AF_INET6 else 16
    head = struct.pack("BB", length, family) if _HAS_LENGTH else struct.pack("=H", family)
    head += struct.pack("!H", port)
    host, _, scope = host.partition("%")
    raw = socket.inet_pton(family, host)
    if family == socket.AF_INET6:
        raw = bytes(4) + raw + struct.pack("=I", _scope(scope))
    return (head + raw).ljust(ADDRESS_BYTES, b"\0")


def _scope(name: str) -> int:
    """The interface that a link-local address belongs to (RFC 4007 11), by number or name; 0: none is told."""
    if not name or name.isdecimal():
        return int(name or 0)
    return socket.if_nametoindex(name)


def unpack_address(packed: NDArray[np.uint8] | bytes) -> Address:
    """The inverse of `pack_address`."""
    raw = bytes(packed)
    family = raw[1] if _HAS_LENGTH else struct.unpack("=H", raw[:2])[0]
    port = struct.unpack("!H", raw[2:4])[0]
    if family == socket.AF_INET6:
        scope = struct.unpack("=I", raw[24:28])[0]
        return socket.inet_ntop(socket.AF_INET6, raw[8:24]) + (f"%{scope}" if scope else ""), port
    return socket.inet_ntop(socket.AF_INET, raw[4:8]), port


def resolve(host: str, port: int) -> Address:
    """The first numeric address of a host, to be pinned for a whole session; raises Unreachable."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host)), port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except socket.gaierror as error:
        raise Unreachable(
            f"{host} has no address: {error.strerror or error}", hint="check the host name and the resolver"
        ) from None
    return str(found[0][4][0]), port
