"""One UDP port, two sockets: the kernel hands each datagram to the right loop by its first byte.

RFC 9443 first bytes: 128-191 RTP/RTCP and 0-3 STUN go to the media socket, all else to the QUIC socket
(which drops what is not QUIC). A classic BPF program on the SO_REUSEPORT group decides; its answer is
the index of a socket in the order of binding, so both are bound before it is attached.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys

from probe.errors import NotMeasured
from probe.net.address import Address, family_of

_SO_ATTACH_REUSEPORT_CBPF = 51
_LD_BYTE, _JGE, _JGT, _RET = 0x30, 0x35, 0x25, 0x06
QUIC_SOCKET, MEDIA_SOCKET = 0, 1

_PROGRAM = [
    (_LD_BYTE, 0, 0, 0),
    (_JGE, 3, 0, 192),  # 192-255: QUIC long header
    (_JGE, 1, 0, 128),  # 128-191: RTP, RTCP
    (_JGT, 1, 0, 3),  # 4-127: QUIC short header; 0-3: STUN
    (_RET, 0, 0, MEDIA_SOCKET),
    (_RET, 0, 0, QUIC_SOCKET),
]


def is_media(first_byte: int) -> bool:
    """Whether a datagram that starts so belongs to the media loop."""
    return first_byte <= 3 or 128 <= first_byte < 192


def bind_split(address: Address) -> tuple[socket.socket, socket.socket] | None:
    """The QUIC and the media socket on one port; None where the system cannot split it.

    Port 0 lets the system choose. Raises NotMeasured when the address is taken or not ours.
    """
    if sys.platform != "linux":
        return None
    # A shared port may be joined by any process of the same user; bound alone first, a second node is refused.
    with _bind(address, share=False) as alone:
        port = alone.getsockname()[1]
    quic, media = _bind((address[0], port)), _bind((address[0], port))
    filters = b"".join(struct.pack("=HBBI", *instruction) for instruction in _PROGRAM)
    memory = ctypes.create_string_buffer(filters)
    program = struct.pack("@HP", len(_PROGRAM), ctypes.addressof(memory))
    try:
        media.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)
    except OSError:
        quic.close()
        media.close()
        return None
    return quic, media


def bind_one(address: Address) -> socket.socket:
    """One socket for both; the loop looks at the first byte itself."""
    return _bind(address, share=False)


def _bind(address: Address, *, share: bool = True) -> socket.socket:
    sock = socket.socket(family_of(address[0]), socket.SOCK_DGRAM)
    try:
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise NotMeasured(
            f"cannot listen on {address[0]}:{address[1]} (UDP): {error.strerror}",
            hint="another program has the port: choose one with --listen, or stop it",
        ) from None
    sock.setblocking(False)
    return sock
