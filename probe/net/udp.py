"""UDP sockets that move batches: what the packet loops need of one, and the best that this system has.

`open_udp` gives `MmsgSocket` on Linux, else `PlainSocket`, one system call a packet and user-space stamps.
Both have the same verbs, and a result says which one measured.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from probe.errors import NotMeasured
from probe.methods.batch import Batch
from probe.metrics import Times
from probe.net.address import Address, family_of
from probe.net.clock import WallClock
from probe.net.drops import socket_drops
from probe.net.mmsg import MmsgSocket
from probe.net.plain import RECEIVE_BYTES, PlainSocket
from probe.net.transmit import SAMPLED

__all__ = (
    "BUFFER_BYTES",
    "MEDIA_SLOTS",
    "RECEIVE_BYTES",
    "RECEIVE_SLOTS",
    "SAMPLED",
    "MmsgSocket",
    "PlainSocket",
    "UdpSocket",
    "enlarge_buffers",
    "open_udp",
    "socket_drops",
)

RECEIVE_SLOTS, MEDIA_SLOTS = 256, 1024
"""Datagrams that one call moves at most: of a relay's flow, of a media loop."""
BUFFER_BYTES = 8 << 20

_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32


class UdpSocket(Protocol):
    """What the packet loops need of a socket."""

    carrier: str
    slots: int
    """How many datagrams `receive` gives at most."""
    refused: int
    """How often ICMP said that nobody listens."""
    failed: list[int]
    """Rows of the batch sent last that the system would not take."""
    wall: WallClock

    def fileno(self) -> int: ...
    def local(self) -> Address: ...
    def receive(self) -> Batch:
        """All that can be read at once, without waiting; possibly empty. It may be a view of the socket's own
        memory, which the next `receive` writes to."""

    def send(self, batch: Batch) -> int:
        """Hand the batch to the kernel; returns how many datagrams it took."""

    def stamp(self, every: int) -> bool:
        """Have the kernel tell when each datagram (1), one in ten (SAMPLED) or none (0) leaves; False where it
        does not. Whether stamps really come is seen by `transmitted`."""

    @property
    def stamped_every(self) -> int:
        """Of how many datagrams one is stamped; 0: none is."""

    def segment(self, *, wanted: bool) -> bool:
        """Let ten datagrams of one size and address go through the system as one (net.segments); False where
        that cannot be had."""

    @property
    def unstamped(self) -> int:
        """Stamps that are still to come."""

    def transmitted(self) -> tuple[NDArray[np.int64], Times] | None:
        """Tags (`Batch.tag`) and times of datagrams of which the kernel has told since the last call."""

    def dropped(self) -> int:
        """Datagrams this socket's receive buffer has dropped so far."""

    def close(self) -> None: ...


def open_udp(
    *,
    bind: Address | None = None,
    peer: Address | None = None,
    sock: socket.socket | None = None,
    plain: bool = False,
    slots: int = RECEIVE_SLOTS,
) -> UdpSocket:
    """A non-blocking UDP socket with large buffers, optionally connected to `peer`.

    Raises NotMeasured when the port is taken or the address is not ours.
    """
    if sock is None:
        family = family_of((bind or peer or ("127.0.0.1", 0))[0])
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if bind:
                sock.bind(bind)
            if peer:
                sock.connect(peer)
        except OSError as error:
            sock.close()
            where = f"{bind[0]}:{bind[1]}" if bind else f"{peer}"
            raise NotMeasured(f"cannot use UDP address {where}: {error.strerror}") from None
    sock.setblocking(False)
    enlarge_buffers(sock)
    if plain or sys.platform != "linux" or struct.calcsize("P") != 8:
        return PlainSocket(sock, connected=peer is not None, slots=slots)
    return MmsgSocket(sock, connected=peer is not None, slots=slots)


def enlarge_buffers(sock: socket.socket, size: int = BUFFER_BYTES) -> None:
    """Ask for large socket buffers, beyond the system's limit where we may: our own overflow is not
    the path's loss."""
    for force, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force if sys.platform == "linux" else plain, size)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, plain, size)
