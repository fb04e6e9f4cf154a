"""The node's media loop in a process of its own: its parent's handle.

The parent opens and closes sessions over the pipe; receive logs and counters are read from shared memory,
so that neither loop ever waits for the other.
"""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.methods.negotiation import Grant
from probe.net.node_loop import COUNT_NAMES, Close, Open, Setup
from probe.net.process import Child
from probe.net.punctual import ORDINARY, Punctuality
from probe.net.shared import SharedArray
from probe.wire.log import LOG


def log_capacity(grant: Grant) -> int:
    """Room for every packet, half as many duplicates and repairs again, and a little."""
    return grant.streams * grant.packets * 3 // 2 + 1024


class MediaProcess:
    """The parent's side: a backend of media sessions for the control channel."""

    def __init__(self, child: Child, granted: dict[str, bool]) -> None:
        self.granted = granted
        """What of the punctuality asked for the process really has."""
        self._child = child
        self._sessions: dict[int, tuple[SharedArray, SharedArray]] = {}

    @classmethod
    async def start(
        cls, media: socket.socket, *, plain: bool = False, punctuality: Punctuality = ORDINARY
    ) -> MediaProcess:
        """Give `media` to a new process and wait until it listens."""
        child = Child.start("probe.net.node_loop:serve")
        child.send(Setup(plain, punctuality), (media.fileno(),))
        granted = await child.receive(timeout=20)
        media.close()
        return cls(child, granted)

    @property
    def pid(self) -> int:
        return self._child.pid

    def open(self, grant: Grant) -> None:
        """Serve the granted session from now on; raises OSError when there is no memory for its log."""
        capacity = log_capacity(grant)
        log, counts = SharedArray.create(LOG, capacity), SharedArray.create(np.int64, len(COUNT_NAMES))
        self._child.send(Open(grant, capacity), (log.fd, counts.fd))
        log.close_fd()
        counts.close_fd()
        self._sessions[grant.session] = log, counts

    def log(self, session: int, after: int, limit: int) -> NDArray[np.void]:
        """Rows `after ..` of the receive log, at most `limit`."""
        log, counts = self._sessions[session]
        end = int(counts.array[COUNT_NAMES.index("logged")])
        return log.array[after : min(end, after + limit)].copy()

    def report(self, session: int) -> dict[str, Any]:
        counts = self._sessions[session][1].array
        return {name: int(counts[at]) for at, name in enumerate(COUNT_NAMES)}

    def close(self, session: int) -> None:
        if self._sessions.pop(session, None):
            self._child.send(Close(session))

    async def ended(self) -> None:
        """Return never; raise NotMeasured when the process ends by itself."""
        while True:
            await self._child.receive()

    async def stop(self) -> None:
        await self._child.stop()
