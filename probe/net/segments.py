"""Ten datagrams that go as one: the kernel cuts them apart behind the sending queue (UDP_SEGMENT).

Beyond 150,000 packets a second nearly all the time goes to the way through the system, and ten that go it as one
spare a third of that. What sees them before they are cut sees one packet: a netem there would lose ten at a time.
So it is done only where no interface has another queueing discipline than systems have by themselves.
"""

from __future__ import annotations

import socket
import struct

import numpy as np
from numpy.typing import NDArray

from probe.net.transmit import MMSGHDR, SAMPLED

SEGMENTS = SAMPLED
"""Of so many the first is stamped, as of those that leave one by one."""
HARMLESS = frozenset({"noqueue", "mq", "pfifo_fast", "fq", "fq_codel"})

_SOL_UDP, _UDP_SEGMENT = 17, 103
_IOVEC_BYTES = 16
_CMSG_BYTES = 24
"""A control message of up to eight bytes."""
_NLMSG_ERROR, _NLMSG_DONE, _RTM_GETQDISC = 2, 3, 38
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_NLMSGHDR, _TCMSG, _RTATTR = struct.Struct("=IHHII"), struct.Struct("=BxxxiIII"), struct.Struct("=HH")
_TCA_KIND = 1


class Segments:
    """Message headers for SEGMENTS datagrams each, of those that `slots` vectors at `vectors_at` point to."""

    def __init__(self, slots: int, vectors_at: int, name_bytes: int) -> None:
        groups = -(-slots // SEGMENTS)
        self._head = np.zeros(groups, MMSGHDR)
        self._head["iov"] = vectors_at + np.arange(groups, dtype=np.uint64) * (SEGMENTS * _IOVEC_BYTES)
        self._head["iovlen"], self._head["namelen"] = SEGMENTS, name_bytes
        self._control = np.zeros(2 * _CMSG_BYTES, np.uint8)
        self._control.view(np.uint32)[:4] = _CMSG_BYTES - 6, 0, _SOL_UDP, _UDP_SEGMENT
        self._size = self._control[16:18].view(np.uint16)
        self._head["control"] = self._control.ctypes.data
        self._vectors, self._names = self._head["iovlen"], self._head["name"]
        self._at = self._head.ctypes.data
        self.stamp(None)

    def stamp(self, request: NDArray[np.uint64] | None) -> None:
        """Add this control message to each header, or none."""
        if request is not None:
            self._control[_CMSG_BYTES:] = request.view(np.uint8)
        self._head["controllen"] = _CMSG_BYTES if request is None else 2 * _CMSG_BYTES

    def lay_out(self, count: int, size: int, name_at: int) -> int:
        """Make headers for `count` datagrams of one size to the address at `name_at`; returns how many."""
        groups = -(-count // SEGMENTS)
        self._size[0] = size
        self._names[:groups] = name_at
        self._vectors[:groups] = SEGMENTS
        self._vectors[groups - 1] = count - (groups - 1) * SEGMENTS
        return groups

    def from_group(self, group: int) -> int:
        """Where the headers from `group` on are in memory."""
        return self._at + group * MMSGHDR.itemsize


def may_segment(sock: socket.socket) -> bool:
    """Whether the kernel cuts what this socket sends (Linux 4.18; before, ten would go as one long datagram), and the
    queueing disciplines of all interfaces only pass packets on; False where nobody says."""
    try:
        sock.getsockopt(_SOL_UDP, _UDP_SEGMENT)
        return queueing_disciplines() <= HARMLESS
    except OSError:
        return False


def queueing_disciplines() -> set[str]:
    """The kinds that this network namespace has, as rtnetlink(7) tells them; raises OSError where it does not."""
    length, flags = _NLMSGHDR.size + _TCMSG.size, _NLM_F_REQUEST | _NLM_F_DUMP
    request = _NLMSGHDR.pack(length, _RTM_GETQDISC, flags, 1, 0) + _TCMSG.pack(0, 0, 0, 0, 0)
    kinds: set[str] = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(1.0)
        sock.sendto(request, (0, 0))
        while True:
            for kind, body in _messages(sock.recv(1 << 16)):
                if kind == _NLMSG_DONE:
                    return kinds
                if kind == _NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("=i", body)[0], "no list of queueing disciplines")
                kinds |= _kinds(body[_TCMSG.size :])


def _messages(data: bytes) -> list[tuple[int, bytes]]:
    """Type and body of each message."""
    found, at = [], 0
    while at + _NLMSGHDR.size <= len(data):
        length, kind, _, _, _ = _NLMSGHDR.unpack_from(data, at)
        found.append((kind, data[at + _NLMSGHDR.size : at + length]))
        at += max(length + 3 & ~3, _NLMSGHDR.size)
    return found


def _kinds(attributes: bytes) -> set[str]:
    at, found = 0, set()
    while at + _RTATTR.size <= len(attributes):
        length, kind = _RTATTR.unpack_from(attributes, at)
        if kind == _TCA_KIND:
            found.add(attributes[at + _RTATTR.size : at + length].rstrip(b"\0").decode("ascii", "replace"))
        at += max(length + 3 & ~3, _RTATTR.size)
    return found
