"""A node's QUIC socket on asyncio: datagrams in with kernel stamps, datagrams out, timers."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time

from probe.methods.quic_node import QuicNode
from probe.methods.quic_server import Address
from probe.net.canary import Canary
from probe.net.clock import WallClock
from probe.net.udp import enlarge_buffers, socket_drops

_SO_TIMESTAMPNS = 35
_CONTROL_BYTES = 64
_RECEIVE_BYTES = 2048
_RECEIVE_AT_ONCE = 64
_PROGRESS_S = 0.0005
_STAMP_AGE_NS = 500_000_000
_TIMESPEC = struct.Struct("@qq")


class QuicListener:
    """Drives `node` over a bound, non-blocking UDP socket, which stays the caller's to close.

    Where the system cannot split a port, whoever reads the socket hands QUIC datagrams to `feed`, and
    `start` is called with `read=False`.
    """

    def __init__(self, sock: socket.socket, node: QuicNode) -> None:
        self.unsent = 0
        """Datagrams that the kernel would not take."""
        self._sock, self._node = sock, node
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._reading = False
        self._wall = WallClock()
        self._canary = Canary(self._note_stall)

    def start(self, *, read: bool = True) -> None:
        """Serve from now on."""
        enlarge_buffers(self._sock)
        if sys.platform == "linux":
            self._sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._reading = read
        if read:
            self._loop.add_reader(self._sock.fileno(), self._on_readable)
        self._canary.start()
        self._flush()

    def stop(self) -> None:
        """Tell every client that the node stops, and serve no more."""
        if self._reading:
            self._loop.remove_reader(self._sock.fileno())
        self._canary.stop()
        self._node.close()
        self._flush()
        if self._timer is not None:
            self._timer.cancel()

    def feed(self, data: bytes, address: Address, now_ns: int, *, kernel_stamped: bool = False) -> None:
        """Take a datagram that arrived at `now_ns` (monotonic), and answer at once."""
        self._node.receive_datagram(data, address, now_ns / 1e9, kernel_stamped=kernel_stamped)
        self._flush()

    def _on_readable(self) -> None:
        offset_ns = self._wall.look()
        self._node.roq.socket_dropped = socket_drops(self._sock)
        for _ in range(_RECEIVE_AT_ONCE):
            try:
                data, control, _, address = self._sock.recvmsg(_RECEIVE_BYTES, _CONTROL_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # ICMP about an earlier answer; of no interest to a server
            now_ns = time.monotonic_ns()
            stamped_ns = (_kernel_stamp(control) or 0) - offset_ns
            # A wall clock that was stepped in between would send QUIC's timers astray.
            if now_ns - _STAMP_AGE_NS < stamped_ns < now_ns + _STAMP_AGE_NS:
                self.feed(data, address, min(stamped_ns, now_ns), kernel_stamped=True)
            else:
                self.feed(data, address, now_ns)

    def _note_stall(self, stall_ns: int) -> None:
        self._wall.look()
        self._node.roq.server_strays = self._node.server.counts.strays
        self._node.roq.note_host(stall_ns, self._wall.take_step())

    def _on_timer(self) -> None:
        self._timer = None
        self._node.handle_timer(self._loop.time())
        self._flush()

    def _flush(self) -> None:
        datagrams = self._node.datagrams_to_send(self._loop.time())
        if datagrams:
            self._node.on_leaving(time.monotonic_ns())
        for data, address in datagrams:
            try:
                self._sock.sendto(data, address)
            except OSError:
                self.unsent += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        timer = self._node.get_timer()
        if timer is not None:
            self._timer = self._loop.call_at(max(timer, self._loop.time() + _PROGRESS_S), self._on_timer)


def _kernel_stamp(control: list[tuple[int, int, bytes]]) -> int | None:
    """CLOCK_REALTIME ns at which the kernel received the datagram."""
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None
