"""One session's packets, as handed to a worker process, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from probe.methods.protection import UNPROTECTED, Protection
from probe.methods.schedule import Schedule, StreamSpec, schedule
from probe.metrics import RUNNING, clear_rows
from probe.net.address import Address
from probe.net.punctual import ORDINARY, Punctuality
from probe.net.shared import SharedArray

HANDSHAKE_TIMEOUT_NS = 5_000_000_000

PROGRESS = np.dtype(
    [
        ("phase", "i8"),
        ("sent", "i8"),
        ("received", "i8"),
        ("start_ns", "i8"),
        ("end_ns", "i8"),
        ("stop", "i8"),
    ]
)
"""Shared with the parent while the job runs; the parent writes only `stop`."""

CONNECTING, SENDING, WAITING, DONE = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Carriage:
    """How packets are moved: by `plain` sockets alone, with what beyond an ordinary process, and through weak
    networks of the kernel's netem instead of our relay's."""

    plain: bool = False
    punctuality: Punctuality = ORDINARY
    kernel_netem: bool = False


USUAL = Carriage()
"""The best sockets of this system, nothing beyond an ordinary process."""


@dataclass(frozen=True, slots=True)
class MediaJob:
    """`address` is where packets go: the node's, or that of a relay before it. `rows` of the shared
    array (`shared_rows`); `fingerprint` (or `cafile`, or the system's trust) identifies the node in QUIC. Without
    `signalling` there is no QUIC handshake before a UDP session: for a peer that is nothing but a media loop."""

    transport: str
    address: Address
    session: int
    token: bytes
    ssrc_base: int
    spec: StreamSpec
    packets: int  # a stream, as granted
    rows: int
    seed: int
    nack: bool
    deadline_ns: int
    server_name: str
    fingerprint: str | None
    cafile: str | None
    signalling: bool = True
    protection: Protection = UNPROTECTED
    plain: bool = False
    punctuality: Punctuality = ORDINARY

    def plan(self) -> Schedule:
        """The packets of a stream: the same in both processes."""
        return schedule(self.spec, np.random.default_rng(self.seed)).first(self.packets)


def shared_rows(count: int) -> SharedArray:
    """Rows (metrics.RUNNING) for a job, in which nothing has happened yet; `Running` makes samples of them.
    Raises OSError when there is no memory for them."""
    rows = SharedArray.create(RUNNING, count)
    clear_rows(rows.array)
    return rows


@dataclass(slots=True)
class JobResult:
    """How it went. `outcome` is "completed", "unreachable" (`error` says in which phase) or "aborted"."""

    outcome: str = "completed"
    error: dict[str, Any] | None = None
    handshake_ms: float | None = None
    bind_ms: float | None = None
    first_packet_ms: float | None = None
    counters: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
