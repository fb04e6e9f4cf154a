"""What a node's host did to its sessions: told in their reports, beside what the packet loops count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.methods.control_server import SessionBackend
from probe.methods.negotiation import Grant
from probe.net.clock import monotonic_ns
from probe.net.host import HostWatch, process_cpu_ns


@dataclass(slots=True)
class _Since:
    """A session's beginning."""

    cpu_ns: int | None
    host: HostWatch = field(default_factory=HostWatch)
    begun_ns: int = field(default_factory=monotonic_ns)


class Watched:
    """A backend of sessions whose packet loop is in process `pid`."""

    def __init__(self, backend: SessionBackend, pid: int) -> None:
        self._backend, self._pid = backend, pid
        self._since: dict[int, _Since] = {}

    def open(self, grant: Grant) -> None:
        self._backend.open(grant)
        self._since[grant.session] = _Since(process_cpu_ns(self._pid))

    def log(self, session: int, after: int, limit: int) -> NDArray[np.void]:
        return self._backend.log(session, after, limit)

    def report(self, session: int) -> dict[str, Any]:
        """The backend's counters; `cpu_share` (of one processor) of the packet loop, `steal_ratio` and
        `backlog_dropped` (net.host.HostWatch) of the host, each None where the system does not tell."""
        since, cpu_ns = self._since[session], process_cpu_ns(self._pid)
        facts, passed_ns = since.host.facts(), max(monotonic_ns() - since.begun_ns, 1)
        used_ns = None if cpu_ns is None or since.cpu_ns is None else cpu_ns - since.cpu_ns
        return self._backend.report(session) | {
            "cpu_share": None if used_ns is None else used_ns / passed_ns,
            "steal_ratio": facts["steal_ratio"],
            "backlog_dropped": facts["backlog_dropped"],
        }

    def close(self, session: int) -> None:
        self._since.pop(session, None)
        self._backend.close(session)
