"""When datagrams really left: the kernel's transmit stamps, from a socket's error queue.

SO_TIMESTAMPING numbers the datagrams it stamps (OPT_ID): the n-th stamp asked for belongs to the n-th
datagram sent since. What a number stands for is kept in a ring. The queue makes the socket readable "in error"
(POLLERR) for whoever polls it, so that it is emptied before each wait.
"""

from __future__ import annotations

import ctypes
import socket

import numpy as np
from numpy.typing import NDArray

from probe.metrics import Times
from probe.net.clock import WallClock, monotonic_ns

SO_TIMESTAMPING = 37
_TX_SOFTWARE, _RX_SOFTWARE, _SOFTWARE = 1 << 1, 1 << 3, 1 << 4
_OPT_ID, _OPT_CMSG, _OPT_TSONLY = 1 << 7, 1 << 10, 1 << 11
_RECEIVE = _RX_SOFTWARE | _SOFTWARE
_TRANSMIT = _OPT_ID | _OPT_CMSG | _OPT_TSONLY
_MSG_ERRQUEUE, _MSG_DONTWAIT = 0x2000, 0x40

MMSGHDR = np.dtype(
    [
        ("name", "u8"), ("namelen", "u4"), ("pad0", "u4"), ("iov", "u8"), ("iovlen", "u8"),
        ("control", "u8"), ("controllen", "u8"), ("flags", "i4"), ("pad1", "u4"), ("len", "u4"), ("pad2", "u4"),
    ]
)  # fmt: skip
"""struct mmsghdr where pointers have 64 bits."""

SAMPLED = 10
"""Beyond 150,000 packets a second one in so many is stamped: a stamp costs about a third of a send."""
ALL_STAMPED_PPS = 150_000

_RING = 1 << 14
_SLOTS = 256
_CONTROL_BYTES = 128
_ID = 23  # word of the control buffer: SCM_TIMESTAMPING has 64 bytes, then ee_data of the error
_STALE_NS = 1_000_000_000
_LAST_NS = 50_000_000
"""So long stamps are waited for when none are asked for any more."""
_GIVE_UP = 64
"""So many datagrams, and a second, without any stamp: this interface has none."""


def receive_stamps(sock: socket.socket) -> bool:
    """Ask for arrival stamps; whether packets have them is seen when they come."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, _RECEIVE)
    except OSError:
        return False
    return True


def stamping_at(rate_pps: float) -> int:
    """Of how many datagrams one is to be stamped at this rate; 0: none, where nothing is sent."""
    return 0 if not rate_pps else 1 if rate_pps <= ALL_STAMPED_PPS else SAMPLED


class TransmitStamps:
    """The transmit stamps of one socket; nothing where the system has none.

    `waiting`: stamps asked for and not seen yet. `every`: one datagram in so many is stamped, 0 for none.
    """

    def __init__(self, sock: socket.socket, wall: WallClock) -> None:
        self._sock, self._wall, self._fd = sock, wall, sock.fileno()
        self.every = self.waiting = 0
        self._asked = self._told = 0
        self._tags = np.full(_RING, -1, np.int64)
        self._left_ns = np.zeros(_RING, np.int64)
        self._control = np.zeros((_SLOTS, _CONTROL_BYTES), np.uint8)
        self._times, self._ids = self._control.view(np.int64), self._control.view(np.uint32)[:, _ID]
        self._head = np.zeros(_SLOTS, MMSGHDR)
        slots = np.arange(_SLOTS, dtype=np.uint64)
        self._head["control"] = self._control.ctypes.data + slots * _CONTROL_BYTES
        self._head["controllen"] = _CONTROL_BYTES
        self._lengths, self._head_at = self._head["controllen"], self._head.ctypes.data
        self._recvmmsg = ctypes.CDLL(None, use_errno=True).recvmmsg
        self._recvmmsg.argtypes = (
            *(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p),
        )
        # What a message of its own asks for when only some are stamped: cmsg header, then the flag.
        self.request = np.zeros(3, np.uint64)
        request = self.request.view(np.uint32)
        request[:] = 20, 0, socket.SOL_SOCKET, SO_TIMESTAMPING, _TX_SOFTWARE, 0

    def ask(self, every: int) -> bool:
        """Stamp each (1), one in SAMPLED, or no datagram (0) from now on; False where that cannot be had."""
        flags = {0: _RECEIVE, 1: _RECEIVE | _TRANSMIT | _TX_SOFTWARE}.get(every, _RECEIVE | _TRANSMIT)
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)
        except OSError:
            every = 0
        if every and not self.every:  # numbers start from 0 whenever OPT_ID is newly set
            self._asked = self._told = self.waiting = 0
        self.every = every
        return every > 0

    def sent(self, tags: NDArray[np.int64] | None, count: int, left_ns: int) -> None:
        """`count` datagrams that were to be stamped have left after `left_ns`."""
        at = self._asked & _RING - 1
        if count == 1:
            self._tags[at] = -1 if tags is None else tags[0]
            self._left_ns[at] = left_ns
        else:
            places: slice | NDArray[np.int64] = slice(at, at + count)
            if at + count > _RING:
                places = np.arange(self._asked, self._asked + count) & _RING - 1
            self._tags[places] = -1 if tags is None else tags
            self._left_ns[places] = left_ns
        self._asked += count
        self.waiting = min(self.waiting + count, _RING)

    def take(self) -> tuple[NDArray[np.int64], Times] | None:
        """Tags and monotonic times of all that is in the error queue; None for nothing. Untagged ones are
        left out."""
        found: list[tuple[NDArray[np.int64], Times]] = []
        offset_ns = self._wall.look()
        while True:
            self._lengths[: self.waiting or 1] = _CONTROL_BYTES
            wanted = min(self.waiting or 1, _SLOTS)
            count = self._recvmmsg(self._fd, self._head_at, wanted, _MSG_ERRQUEUE | _MSG_DONTWAIT, None)
            if count <= 0:
                break
            self.waiting = max(self.waiting - count, 0)
            self._told += count
            place = self._ids[:count] & np.uint32(_RING - 1)
            time_ns = self._times[:count, 2] * 1_000_000_000 + self._times[:count, 3] - offset_ns
            tags, age = self._tags[place], time_ns - self._left_ns[place]
            # A number that slipped, or a wall clock that was stepped, would make nonsense of a stamp.
            good = age.view(np.uint64) < _STALE_NS  # and not before it left
            good &= tags >= 0
            self._tags[place] = -1
            if np.count_nonzero(good) < count:
                tags, time_ns = tags[good], time_ns[good]
            found.append((tags, time_ns))
            if not self.waiting:
                break
        if self.waiting:
            self._despair()
        if not found:
            return None
        tags, times = found[0]
        if len(found) > 1:
            tags, times = (
                np.concatenate([tag for tag, _ in found]),
                np.concatenate([time for _, time in found]),
            )
        return (tags, times) if len(tags) else None

    def _despair(self) -> None:
        """Wait no longer for stamps that are a second late; ask no more where none ever came."""
        oldest_ns = int(self._left_ns[self._asked - self.waiting & _RING - 1])
        if monotonic_ns() - oldest_ns > (_STALE_NS if self.every else _LAST_NS):
            self.waiting = 0
            if not self._told and self._asked > _GIVE_UP:
                self.ask(0)

    def resynchronise(self) -> None:
        """A send failed, and with some kernels a number is lost then: empty the queue and count from 0 again."""
        every = self.every
        if every:
            self.take()
            self.ask(0)
            self._tags[:] = -1
            self.ask(every)
