"""A node's QUIC socket on asyncio: datagrams in with kernel stamps, datagrams out, timers."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from probe.methods.quic_node import QuicNode
from probe.methods.quic_server import Address, Datagrams
from probe.net.address import unpack_address
from probe.net.canary import Canary
from probe.net.clock import monotonic_ns
from probe.net.quic_datagrams import arrivals, as_batch
from probe.net.transmit import stamping_at
from probe.net.udp import UdpSocket

RECEIVE_AT_ONCE = 64
"""Slots of the socket, and how many datagrams are taken before other callbacks have their turn."""
_PROGRESS_S = 0.0005
_address = lru_cache(4096)(unpack_address)


class QuicListener:
    """Drives `node` over a bound UDP socket, which stays the caller's to close.

    Where the system cannot split a port, whoever reads the socket hands QUIC datagrams to `feed`, and
    `start` is called with `read=False`.
    """

    def __init__(self, sock: UdpSocket, node: QuicNode) -> None:
        self.unsent = 0
        """Datagrams that the kernel would not take."""
        self._sock, self._node = sock, node
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._reading = False
        self._stamping = 0
        self._canary = Canary(self._note_stall)
        node.roq.take_stamps = self._take_stamps

    def start(self, *, read: bool = True) -> None:
        """Serve from now on."""
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
        self._node.roq.socket_dropped = self._sock.dropped()
        came = list(arrivals(self._sock))
        if came and came[0].stamped:
            # It lay here for so long: the canary comes round too seldom to see all of a stall.
            self._node.roq.note_host(monotonic_ns() - came[0].at_ns, 0)
        for data, address, at_ns, stamped in came:
            self.feed(data, _address(address.tobytes()), at_ns, kernel_stamped=stamped)
        self._take_stamps()  # one that lies there makes the socket readable

    def _take_stamps(self) -> None:
        """When reflections really left. The kernel tells at once, unless a queue of its own comes first."""
        if told := self._sock.transmitted():
            self._node.on_transmitted(*told)

    def _note_stall(self, stall_ns: int) -> None:
        self._sock.wall.look()
        self._node.roq.server_strays = self._node.server.counts.strays
        self._node.roq.note_host(stall_ns, self._sock.wall.take_step())

    def _on_timer(self) -> None:
        self._timer = None
        self._node.handle_timer(self._loop.time())
        self._flush()
        if self._sock.unstamped:
            self._take_stamps()

    def _flush(self) -> None:
        datagrams = self._node.datagrams_to_send(self._loop.time())
        if datagrams:
            self._send(datagrams)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        timer = self._node.get_timer()
        if timer is not None:
            self._timer = self._loop.call_at(max(timer, self._loop.time() + _PROGRESS_S), self._on_timer)

    def _send(self, datagrams: Datagrams) -> None:
        if (stamping := stamping_at(self._node.roq.reflected_pps)) != self._stamping:
            self._stamping = stamping
            self._sock.stamp(stamping)
        tags = self._node.tags(len(datagrams)) if self._sock.stamped_every else None
        batch = as_batch(datagrams, tags, connected=False)
        self._node.on_leaving(monotonic_ns())
        self.unsent += len(datagrams) - self._sock.send(batch)
