"""Linux: many datagrams a system call over memory that is filled as arrays, with the kernel's own times."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import select
import socket

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import ADDRESS_BYTES, ALONE, Batch, all_from, empty_batch, no_address
from probe.metrics import Times
from probe.net.address import Address, unpack_address
from probe.net.clock import WallClock, monotonic_ns
from probe.net.drops import socket_drops
from probe.net.plain import RECEIVE_BYTES
from probe.net.segments import SEGMENTS, Segments, may_segment
from probe.net.transmit import MMSGHDR, SAMPLED, TransmitStamps, receive_stamps

LEAN = 4
"""Up to so many datagrams one plain call each costs less than filling the arrays of one call for all."""

_ALONE, _SEGMENTED = "sendmmsg", "sendmmsg, segments"
_MSG_DONTWAIT = 0x40
_CONTROL_BYTES = 64
_STAMP_BYTES = 32
_ROW_BYTES = RECEIVE_BYTES + 64
"""Distance of received datagrams: at a power of two their headers would share a few lines of the cache."""
_HUGE_PAGE = 2 << 20
_CONTROLLEN, _LEN = 5, 7
_IOVEC = np.dtype([("base", "u8"), ("len", "u8")])
_STRIDES = 256
"""Widths of packets whose places are kept."""
_ROOM_MS = 2
"""How long a full send buffer is waited for; then what does not fit stays behind."""

# A refused or unreachable peer is an event of the path, told by ICMP, not an error of this socket.
PATH_ERRORS = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)
_FULL = (errno.EAGAIN, errno.ENOBUFS)


def packet_memory(count: int) -> NDArray[np.uint8]:
    """(count, _ROW_BYTES) zeros, in huge pages if they fill one and the system has them: else a batch lies in
    hundreds of pages, whose addresses the processor forgets from one batch to the next."""
    size = count * _ROW_BYTES
    if size < _HUGE_PAGE:
        return np.zeros((count, _ROW_BYTES), np.uint8)
    memory = mmap.mmap(-1, -(-size // _HUGE_PAGE) * _HUGE_PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError, AttributeError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)[:size].reshape(count, _ROW_BYTES)


class _Places:
    """A column of pointers, each to a row of a matrix. Replies leave from where packets arrived, so that it is
    mostly the same as before."""

    def __init__(self, column: NDArray[np.uint64]) -> None:
        self._column = column
        self._steps: dict[int, NDArray[np.uint64]] = {}
        self._filled = 0, 0, 0
        self._whole: NDArray[np.uint8] | None = None

    def are_rows(self, matrix: NDArray[np.uint8], start: int, count: int) -> None:
        """Point to `count` rows from `start` on."""
        if matrix is self._whole and not start:
            return
        self._whole = None if start or count < len(matrix) else matrix
        stride = matrix.strides[0]
        base = matrix.ctypes.data + start * stride
        if self._filled[:2] == (base, stride) and count <= self._filled[2]:
            return
        steps = self._steps.get(stride)
        if steps is None:
            if len(self._steps) > _STRIDES:
                self._steps.clear()
            steps = self._steps[stride] = np.arange(len(self._column), dtype=np.uint64) * stride
        np.add(steps[:count], np.uint64(base), out=self._column[:count])
        self._filled = base, stride, count


class MmsgSocket:
    """A UDP socket (net.udp.UdpSocket) whose received batches are views of its buffers: they hold until the
    next `receive`. `slots`: how many datagrams a call moves at most."""

    def __init__(self, sock: socket.socket, *, connected: bool, slots: int) -> None:
        self.slots, self.carrier = slots, _ALONE
        self.refused = 0
        self.failed: list[int] = []
        self.wall = WallClock()
        self._sock, self._connected = sock, connected
        self._fd = sock.fileno()
        libc = ctypes.CDLL(None, use_errno=True)
        self._sendmmsg, self._recvmmsg = libc.sendmmsg, libc.recvmmsg
        self._sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        self._recvmmsg.argtypes = (*self._sendmmsg.argtypes, ctypes.c_void_p)
        receive_stamps(sock)
        self._stamps: TransmitStamps | None = None
        self._segments: Segments | None = None
        self._address_bytes = 28 if sock.family == socket.AF_INET6 else 16
        self._names: dict[bytes, Address] = {}
        self._prepare_receive()
        self._prepare_send()

    def _prepare_receive(self) -> None:
        slots = np.arange(self.slots, dtype=np.uint64)
        self._data = packet_memory(self.slots)
        self._from = np.zeros((self.slots, ADDRESS_BYTES), np.uint8)
        self._control = np.zeros((self.slots, _CONTROL_BYTES), np.uint8)
        self._iov, self._head = np.zeros(self.slots, _IOVEC), np.zeros(self.slots, MMSGHDR)
        self._iov["base"], self._iov["len"] = self._data.ctypes.data + slots * _ROW_BYTES, RECEIVE_BYTES
        self._head["iov"], self._head["iovlen"] = self._iov.ctypes.data + slots * _IOVEC.itemsize, 1
        self._head["control"] = self._control.ctypes.data + slots * _CONTROL_BYTES
        self._head["controllen"] = _CONTROL_BYTES
        if not self._connected:
            self._head["name"] = self._from.ctypes.data + slots * ADDRESS_BYTES
            self._head["namelen"] = ADDRESS_BYTES
        self._head_at = self._head.ctypes.data
        words = self._head.view(np.int64).reshape(self.slots, -1)
        self._sizes, self._lengths = words[:, _LEN], words[:, _CONTROLLEN]
        # SCM_TIMESTAMPING and SCM_TIMESTAMPNS alike: a header of 16 bytes, then seconds and nanoseconds.
        stamps = self._control.view(np.int64)
        self._stamps_in = stamps[:, 2:4]
        self._used = self._shape = (0, 0)

    def _prepare_send(self) -> None:
        slots = np.arange(self.slots, dtype=np.uint64)
        self._send_iov, self._send_head = np.zeros(self.slots, _IOVEC), np.zeros(self.slots, MMSGHDR)
        self._send_head["iov"] = self._send_iov.ctypes.data + slots * _IOVEC.itemsize
        self._send_head["iovlen"] = 1
        if not self._connected:
            self._send_head["namelen"] = self._address_bytes
        self._send_base, self._send_name = _Places(self._send_iov["base"]), _Places(self._send_head["name"])
        self._send_len = self._send_iov["len"]
        self._send_at = self._send_head.ctypes.data

    def fileno(self) -> int:
        return self._fd

    def local(self) -> Address:
        name = self._sock.getsockname()
        return str(name[0]), int(name[1])

    def dropped(self) -> int:
        return socket_drops(self._sock)

    def close(self) -> None:
        self._sock.close()

    # receiving

    def receive(self) -> Batch:
        count, width = self._used
        if count:  # beyond a datagram's size there are zeros
            self._data[:count, :width] = 0
            self._lengths[:count] = _CONTROL_BYTES
            self._used = (0, 0)
        count = self._recvmmsg(self._fd, self._head_at, self.slots, _MSG_DONTWAIT, None)
        if count <= 0:
            if count < 0 and ctypes.get_errno() in PATH_ERRORS:
                self.refused += 1
            return empty_batch()
        size = self._sizes[:count]
        width = max((int(size[0] if count == ALONE else np.maximum.reduce(size)) + 7) & ~7, 8)
        self._used = count, width
        if self._used != self._shape:  # else the same arrays: `_Places` knows them
            self._shape = self._used
            self._rows = self._data[:count, :width]
            self._senders = no_address(count) if self._connected else self._from[:count]
        time_ns, stamped = self._arrivals(count)
        return Batch(self._rows, size, time_ns, self._senders, stamped)

    def _arrivals(self, count: int) -> tuple[Times, bool]:
        """When the datagrams arrived, and whether it is the kernel that says so."""
        offset_ns = self.wall.look()
        if count == ALONE:
            (seconds, nanoseconds), length = self._stamps_in[0].tolist(), int(self._lengths[0])
            time_ns = np.array([seconds * 1_000_000_000 + nanoseconds - offset_ns])
        else:
            stamps = self._stamps_in[:count]
            length, seconds = int(np.minimum.reduce(self._lengths[:count])), int(stamps[0, 0])
            time_ns = stamps[:, 0] * 1_000_000_000
            time_ns += stamps[:, 1]
            time_ns -= offset_ns
        if length >= _STAMP_BYTES and seconds > 0:
            return time_ns, True
        return np.full(count, monotonic_ns()), False

    # sending

    def stamp(self, every: int) -> bool:
        """Have the kernel tell when each datagram (1), one in ten (SAMPLED) or none (0) leaves; False where it
        does not. `transmitted` has the answers."""
        if self._stamps is None:
            if not every:
                return False
            self._stamps = TransmitStamps(self._sock, self.wall)
        granted = self._stamps.ask(every)
        if self._stamps.every == SAMPLED:
            self._send_head["control"][::SAMPLED] = self._stamps.request.ctypes.data
            self._send_head["controllen"][::SAMPLED] = self._stamps.request.nbytes
        else:
            self._send_head["control"] = self._send_head["controllen"] = 0
        self._stamp_segments()
        return granted

    def segment(self, *, wanted: bool) -> bool:
        """Let ten datagrams of one size and address go through the system as one from now on, unless each is
        stamped; False where that cannot be had."""
        granted = wanted and may_segment(self._sock)
        self._segments, self.carrier = None, _SEGMENTED if granted else _ALONE
        if granted:
            names = 0 if self._connected else self._address_bytes
            self._segments = Segments(self.slots, self._send_iov.ctypes.data, names)
            self._stamp_segments()
        return granted

    def _stamp_segments(self) -> None:
        if self._segments:
            stamps = self._stamps
            self._segments.stamp(stamps.request if stamps and stamps.every == SAMPLED else None)

    @property
    def stamped_every(self) -> int:
        """Of how many datagrams one is stamped; 0: none is."""
        return self._stamps.every if self._stamps else 0

    @property
    def unstamped(self) -> int:
        """Stamps that are still to come."""
        return self._stamps.waiting if self._stamps else 0

    def transmitted(self) -> tuple[NDArray[np.int64], Times] | None:
        return self._stamps.take() if self._stamps else None

    def send(self, batch: Batch) -> int:
        count = len(batch.size)
        self.failed = []
        if count <= LEAN and self.stamped_every != SAMPLED:
            for row in range(count):
                if not self._send_one(batch, row):
                    self.failed.append(row)
            return count - len(self.failed)
        for start in range(0, count, self.slots):
            self._send_slots(batch, start, min(self.slots, count - start))
        return count - len(self.failed)

    def _send_one(self, batch: Batch, row: int) -> bool:
        datagram = batch.data[row, : batch.size[row]].data
        left_ns = monotonic_ns()
        for _ in range(3):
            try:
                if self._connected:
                    self._sock.send(datagram)
                else:
                    self._sock.sendto(datagram, self._name(batch.address[row].tobytes()))
            except OSError as error:
                if not self._try_again(error.errno or 0):
                    return False
            else:
                if self._stamps and self._stamps.every:
                    self._stamps.sent(None if batch.tag is None else batch.tag[row : row + 1], 1, left_ns)
                return True
        return False

    def _name(self, packed: bytes) -> Address:
        name = self._names.get(packed)
        if name is None:
            if len(self._names) > 4096:
                self._names.clear()
            name = self._names[packed] = unpack_address(packed)
        return name

    def _send_slots(self, batch: Batch, start: int, count: int) -> None:
        data, address = batch.data, batch.address
        if data.strides[1] != 1:
            data = np.ascontiguousarray(data)
        self._send_base.are_rows(data, start, count)
        self._send_len[:count] = batch.size[start : start + count]
        if not self._connected:
            self._send_name.are_rows(address, start, count)
        sent, tries = self._send_segments(batch, start, count), 0
        while sent < count:
            left_ns = monotonic_ns()
            result = self._sendmmsg(self._fd, self._send_at + MMSGHDR.itemsize * sent, count - sent, 0)
            if result > 0:
                self._note_sent(batch, start, sent, sent + result, left_ns)
                sent, tries = sent + result, 0
                continue
            tries += 1
            if tries < 3 and self._try_again(ctypes.get_errno()):
                continue
            self.failed.append(start + sent)  # this one cannot be sent at all; the others can
            sent, tries = sent + 1, 0

    def _send_segments(self, batch: Batch, start: int, count: int) -> int:
        """How many of these went as segments: all, or those up to the first that the system would not take so."""
        size, address = batch.size[start : start + count], batch.address[start : start + count]
        if self._segments is None or self.stamped_every == 1 or np.count_nonzero(size != size[0]):
            return 0
        if not self._connected and not all_from(address, address[0].tobytes()):
            return 0
        groups = self._segments.lay_out(count, int(size[0]), 0 if self._connected else address.ctypes.data)
        sent = 0
        while sent < groups:
            left_ns = monotonic_ns()
            at = self._segments.from_group(sent)
            result = self._sendmmsg(self._fd, at, groups - sent, 0)
            if result <= 0:
                if not self._try_again(ctypes.get_errno()):
                    # Larger than the path takes, or a device that adds no checksums.
                    self._segments, self.carrier = None, _ALONE
                break
            end = min((sent + result) * SEGMENTS, count)
            self._note_sent(batch, start, sent * SEGMENTS, end, left_ns)
            sent += result
        return min(sent * SEGMENTS, count)

    def _note_sent(self, batch: Batch, start: int, first: int, end: int, left_ns: int) -> None:
        """Slots `first` up to `end` have left."""
        stamps = self._stamps
        if stamps is None or not stamps.every:
            return
        if stamps.every == SAMPLED:
            first = -(-first // SAMPLED) * SAMPLED
        count = len(range(first, end, stamps.every))
        if count:
            rows = slice(start + first, start + end, stamps.every)
            stamps.sent(None if batch.tag is None else batch.tag[rows], count, left_ns)

    def _try_again(self, code: int) -> bool:
        """After an error of a send."""
        if self._stamps:
            self._stamps.resynchronise()
        if code in PATH_ERRORS:
            self.refused += 1  # a pending ICMP error is reported once and blocks nothing
            return True
        if code in _FULL:
            room = select.poll()
            room.register(self._fd, select.POLLOUT)
            room.poll(_ROOM_MS)
            return True
        return code == errno.EINTR
