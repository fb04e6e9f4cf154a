"""The node's media loop on systems that cannot split a port: inside the QUIC loop, on its socket."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import FOREVER
from probe.methods.negotiation import Grant
from probe.methods.reflector import Reflector
from probe.net.address import Address, unpack_address
from probe.net.canary import Canary
from probe.net.clock import WallClock, monotonic_ns
from probe.net.media_process import log_capacity
from probe.net.node_loop import reflected_session, take_media
from probe.net.port_split import is_media
from probe.net.udp import UdpSocket
from probe.wire.log import LOG

Feed = Callable[[bytes, Address, int], None]


class OneSocket:
    """Reads `sock`, serves media itself and hands everything else to `feed`."""

    def __init__(self, sock: UdpSocket) -> None:
        self._sock = sock
        self._reflector = Reflector(secrets.token_bytes(32))
        self._logs: dict[int, NDArray[np.void]] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._feed: Feed | None = None
        self._wall = WallClock()  # the socket's own is looked at, and its steps are taken, by the QUIC loop
        self._canary = Canary(self._note_stall)

    @property
    def pid(self) -> int:
        return os.getpid()

    def start(self, feed: Feed) -> None:
        """Serve from now on."""
        self._feed = feed
        self._canary.start()
        self._loop.add_reader(self._sock.fileno(), self._on_readable)

    def _note_stall(self, stall_ns: int) -> None:
        wall = self._wall
        wall.look()
        step_ns = wall.take_step()
        for number in self._logs:
            if session := self._reflector.session(number):
                counts = session.counts
                counts.stall_ns = max(counts.stall_ns, stall_ns)
                counts.clock_step_ns = max(counts.clock_step_ns, step_ns, key=abs)

    def _on_readable(self) -> None:
        assert self._feed
        batch = self._sock.receive()
        if not len(batch.size):
            return
        media = np.array([is_media(first) for first in batch.data[:, 0].tolist()])
        for row in np.flatnonzero(~media):
            data = batch.data[row, : batch.size[row]].tobytes()
            self._feed(data, unpack_address(batch.address[row]), int(batch.time_ns[row]))
        if media.any():
            take_media(self._reflector, self._sock, batch.take(media))
        self._flush()

    def _flush(self) -> None:
        now_ns = monotonic_ns()
        self._sock.send(self._reflector.packets_to_send(now_ns, now_ns))
        if self._timer is not None:
            self._timer.cancel()
        next_ns = self._reflector.next_time_ns()
        if next_ns != FOREVER:
            self._timer = self._loop.call_later(max(next_ns - monotonic_ns(), 0) / 1e9, self._flush)

    def open(self, grant: Grant) -> None:
        """Serve the granted session from now on."""
        self._logs[grant.session] = np.zeros(log_capacity(grant), LOG)
        self._reflector.open(reflected_session(grant, self._logs[grant.session], self._sock))

    def log(self, session: int, after: int, limit: int) -> NDArray[np.void]:
        """Rows `after ..` of the receive log, at most `limit`."""
        found = self._reflector.session(session)
        end = found.counts.logged if found else 0
        return self._logs[session][after : min(end, after + limit)].copy()

    def report(self, session: int) -> dict[str, Any]:
        found = self._reflector.session(session)
        assert found
        found.counts.strays = self._reflector.strays
        found.counts.socket_dropped = self._sock.dropped() - found.dropped_before
        return asdict(found.counts)

    def close(self, session: int) -> None:
        self._reflector.close(session)
        self._logs.pop(session, None)

    async def ended(self) -> None:
        """Never: this loop ends with its node."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self._canary.stop()
        self._loop.remove_reader(self._sock.fileno())
