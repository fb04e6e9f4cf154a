"""UDP sockets that move batches: sendmmsg and recvmmsg over numpy-owned memory, with kernel stamps.

`open_udp` gives the best carrier of the system: `MmsgSocket` on Linux, else `PlainSocket`, one system
call a packet and user-space stamps. Both have the same verbs, and a result says which one measured.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
import sys
import time
from typing import Protocol

import numpy as np

from probe.errors import NotMeasured
from probe.methods.batch import ADDRESS_BYTES, Batch, empty_batch
from probe.net.address import Address, family_of, pack_address
from probe.net.clock import wall_offset

RECEIVE_SLOTS = 256
RECEIVE_BYTES = 2048
BUFFER_BYTES = 8 << 20

_SO_TIMESTAMPNS = 35
_SO_MEMINFO, _MEMINFO_DROPS = 55, 8
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32
_MSG_DONTWAIT = 0x40
_CONTROL_BYTES = 64

_MMSGHDR = np.dtype(
    [
        ("name", "u8"), ("namelen", "u4"), ("pad0", "u4"), ("iov", "u8"), ("iovlen", "u8"),
        ("control", "u8"), ("controllen", "u8"), ("flags", "i4"), ("pad1", "u4"), ("len", "u4"), ("pad2", "u4"),
    ]
)  # fmt: skip
_IOVEC = np.dtype([("base", "u8"), ("len", "u8")])

# A refused or unreachable peer is an event of the path, told by ICMP, not an error of this socket.
_PATH_ERRORS = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)


class UdpSocket(Protocol):
    """What the packet loops need of a socket."""

    carrier: str
    refused: int
    """How often ICMP said that nobody listens."""

    def fileno(self) -> int: ...
    def local(self) -> Address: ...
    def receive(self) -> Batch:
        """All that can be read at once, without waiting; possibly empty."""

    def send(self, batch: Batch) -> int:
        """Hand the batch to the kernel; returns how many datagrams it took."""

    def dropped(self) -> int:
        """Datagrams this socket's receive buffer has dropped so far."""

    def close(self) -> None: ...


def open_udp(
    *,
    bind: Address | None = None,
    peer: Address | None = None,
    sock: socket.socket | None = None,
    plain: bool = False,
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
        return PlainSocket(sock, connected=peer is not None)
    return MmsgSocket(sock, connected=peer is not None)


def enlarge_buffers(sock: socket.socket, size: int = BUFFER_BYTES) -> None:
    """Ask for large socket buffers, beyond the system's limit where we may: our own overflow is not
    the path's loss."""
    for force, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force if sys.platform == "linux" else plain, size)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, plain, size)


def socket_drops(sock: socket.socket) -> int:
    """The kernel's own count of datagrams dropped at this socket (Linux; 0 where it has none)."""
    if sys.platform != "linux":
        return 0
    info = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
    return int(struct.unpack_from("=I", info, 4 * _MEMINFO_DROPS)[0])


class MmsgSocket:
    """Many datagrams a system call; arrival times are the kernel's, converted to the monotonic clock."""

    carrier = "sendmmsg"

    def __init__(self, sock: socket.socket, *, connected: bool) -> None:
        self.refused = 0
        self._sock, self._connected = sock, connected
        self._fd = sock.fileno()
        libc = ctypes.CDLL(None, use_errno=True)
        self._sendmmsg, self._recvmmsg = libc.sendmmsg, libc.recvmmsg
        self._sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        self._recvmmsg.argtypes = (*self._sendmmsg.argtypes, ctypes.c_void_p)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._address_bytes = 28 if sock.family == socket.AF_INET6 else 16
        self._data = np.zeros((RECEIVE_SLOTS, RECEIVE_BYTES), np.uint8)
        self._from = np.zeros((RECEIVE_SLOTS, ADDRESS_BYTES), np.uint8)
        self._control = np.zeros((RECEIVE_SLOTS, _CONTROL_BYTES), np.uint8)
        self._stamps = self._control.view(np.int64)
        self._iov = np.zeros(RECEIVE_SLOTS, _IOVEC)
        self._head = np.zeros(RECEIVE_SLOTS, _MMSGHDR)
        slots = np.arange(RECEIVE_SLOTS, dtype=np.uint64)
        self._iov["base"] = self._data.ctypes.data + slots * RECEIVE_BYTES
        self._iov["len"] = RECEIVE_BYTES
        self._head["iov"] = self._iov.ctypes.data + slots * _IOVEC.itemsize
        self._head["iovlen"] = 1
        self._head["name"] = self._from.ctypes.data + slots * ADDRESS_BYTES
        self._head["control"] = self._control.ctypes.data + slots * _CONTROL_BYTES
        self._head["namelen"], self._head["controllen"] = ADDRESS_BYTES, _CONTROL_BYTES
        self._send_iov = np.zeros(RECEIVE_SLOTS, _IOVEC)
        self._send_head = np.zeros(RECEIVE_SLOTS, _MMSGHDR)
        self._send_head["iov"] = self._send_iov.ctypes.data + slots * _IOVEC.itemsize
        self._send_head["iovlen"] = 1

    def fileno(self) -> int:
        return self._fd

    def local(self) -> Address:
        name = self._sock.getsockname()
        return str(name[0]), int(name[1])

    def receive(self) -> Batch:
        count = self._recvmmsg(self._fd, self._head.ctypes.data, RECEIVE_SLOTS, _MSG_DONTWAIT, None)
        if count <= 0:
            if count < 0 and ctypes.get_errno() in _PATH_ERRORS:
                self.refused += 1
            return empty_batch()
        size = self._head["len"][:count].astype(np.int64)
        width = max(int(size.max() + 1) & ~1, 2)
        data = self._data[:count, :width].copy()
        self._data[:count, :width] = 0
        stamped = bool((self._head["controllen"][:count] >= 32).all())
        offset = wall_offset().offset_ns
        if stamped:
            stamps = self._stamps[:count]
            time_ns = stamps[:, 2] * 1_000_000_000 + stamps[:, 3] - offset
        else:
            time_ns = np.full(count, time.monotonic_ns())
        address = self._from[:count].copy()
        self._head["namelen"][:count], self._head["controllen"][:count] = ADDRESS_BYTES, _CONTROL_BYTES
        return Batch(data, size, time_ns, address, stamped)

    def send(self, batch: Batch) -> int:
        total = len(batch.size)
        if not total:
            return 0
        data = np.ascontiguousarray(batch.data)
        address = np.ascontiguousarray(batch.address)
        taken = 0
        for start in range(0, total, RECEIVE_SLOTS):
            count = min(RECEIVE_SLOTS, total - start)
            rows = np.arange(start, start + count, dtype=np.uint64)
            self._send_iov["base"][:count] = data.ctypes.data + rows * data.shape[1]
            self._send_iov["len"][:count] = batch.size[start : start + count]
            if not self._connected:
                self._send_head["name"][:count] = address.ctypes.data + rows * ADDRESS_BYTES
                self._send_head["namelen"][:count] = self._address_bytes
            taken += self._send_all(count)
        return taken

    def _send_all(self, count: int) -> int:
        sent = taken = 0
        while sent < count:
            result = self._sendmmsg(self._fd, self._send_head.ctypes.data + 64 * sent, count - sent, 0)
            if result > 0:
                sent += result
                taken += result
                continue
            code = ctypes.get_errno()
            if code in _PATH_ERRORS:
                self.refused += 1  # a pending ICMP error is reported once and blocks nothing: try again
            elif code not in (errno.EAGAIN, errno.ENOBUFS, errno.EINTR):
                sent += 1  # this datagram cannot be sent at all; the others can
        return taken

    def dropped(self) -> int:
        return socket_drops(self._sock)

    def close(self) -> None:
        self._sock.close()


class PlainSocket:
    """One datagram a system call, stamped on return to user space: for systems without the calls above."""

    carrier = "plain"

    def __init__(self, sock: socket.socket, *, connected: bool) -> None:
        self.refused = 0
        self._sock, self._connected = sock, connected
        self._names: dict[bytes, Address] = {}

    def fileno(self) -> int:
        return self._sock.fileno()

    def local(self) -> Address:
        name = self._sock.getsockname()
        return str(name[0]), int(name[1])

    def receive(self) -> Batch:
        packets: list[bytes] = []
        times: list[int] = []
        senders: list[bytes] = []
        while len(packets) < RECEIVE_SLOTS:
            try:
                data, sender = self._sock.recvfrom(RECEIVE_BYTES)
            except BlockingIOError:
                break
            except OSError:
                self.refused += 1
                continue
            times.append(time.monotonic_ns())
            packets.append(data)
            packed = pack_address((sender[0], sender[1]))
            self._names[packed] = (sender[0], sender[1])
            senders.append(packed)
        if not packets:
            return empty_batch()
        size = np.array([len(data) for data in packets], np.int64)
        width = max(int(size.max() + 1) & ~1, 2)
        matrix = np.frombuffer(b"".join(data.ljust(width, b"\0") for data in packets), np.uint8)
        address = np.frombuffer(b"".join(senders), np.uint8).reshape(-1, ADDRESS_BYTES)
        return Batch(
            matrix.reshape(len(packets), width).copy(), size, np.array(times, np.int64), address.copy()
        )

    def send(self, batch: Batch) -> int:
        taken = 0
        for row in range(len(batch.size)):
            data = batch.data[row, : batch.size[row]].tobytes()
            try:
                if self._connected:
                    self._sock.send(data)
                else:
                    packed = batch.address[row].tobytes()
                    self._sock.sendto(data, self._names[packed])
                taken += 1
            except OSError:
                self.refused += 1
        return taken

    def dropped(self) -> int:
        return socket_drops(self._sock)

    def close(self) -> None:
        self._sock.close()
