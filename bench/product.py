"""The product under measurement: its media worker and its node, each in the process that it has in use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.comparison import Skipped
from bench.priority import prefer
from bench.processes import cpu_ns, pinned, resident_bytes
from bench.session import Exchange, Usage, calls, grant_for, job_for
from probe.methods.negotiation import Grant
from probe.methods.running import Running
from probe.methods.schedule import StreamSpec
from probe.metrics import Rows
from probe.net.address import Address
from probe.net.clock import monotonic_ns
from probe.net.job import PROGRESS, SENDING, WAITING, JobResult, MediaJob, shared_rows
from probe.net.media_process import MediaProcess
from probe.net.port_split import bind_split
from probe.net.process import Child
from probe.net.shared import SharedArray
from probe.session.merge import merge_log

CLIENT_CPU, OTHER_CPU = 0, 1
"""Where pinned processes go: the one that is measured, and all others."""
PATIENCE_S = 30.0
EARLY, LATE = 0.2, 0.95
"""Shares of the sending between which CPU time is counted: start and end are not the steady state."""


class Node:
    """A node's media process on a port of its own."""

    def __init__(self, media: MediaProcess, address: Address) -> None:
        self.address = address
        self.pid = media.pid
        self._media = media
        self._sessions = 0

    def open(self, spec: StreamSpec, *, packets: int | None = None) -> Grant:
        """A session as the control channel would grant it."""
        self._sessions += 1
        grant = grant_for(spec, self._sessions, packets=packets)
        self._media.open(grant)
        return grant

    def log(self, grant: Grant) -> NDArray[np.void]:
        return self._media.log(grant.session, 0, 1 << 62)

    def report(self, grant: Grant) -> dict[str, int]:
        return self._media.report(grant.session)


@asynccontextmanager
async def node(*, plain: bool = False, cpu: int | None = None) -> AsyncIterator[Node]:
    """Start a node's media process for the length of the block."""
    sockets = bind_split(("127.0.0.1", 0))
    if sockets is None:
        raise Skipped("this system cannot split a port between QUIC and media")
    quic, media = sockets
    with quic:
        address = quic.getsockname()
        with pinned(cpu):
            process = await MediaProcess.start(media, plain=plain)
        try:
            running = Node(process, address)
            prefer(running.pid)
            yield running
        finally:
            await process.stop()


@asynccontextmanager
async def worker(*, cpu: int | None = None) -> AsyncIterator[Child]:
    """Start the client's media worker for the length of the block."""
    with pinned(cpu):
        child = Child.start("bench.client:work")
    prefer(child.pid)
    try:
        yield child
    finally:
        await child.stop()


async def run_session(
    spec: StreamSpec, node: Node, client: Child, *, plain: bool = False, packets: int | None = None
) -> Exchange:
    """One session from the worker through the node and back."""
    grant = node.open(spec, packets=packets)
    rows, result, client_use, node_use = await run_job(
        job_for(spec, grant, node.address, plain=plain), client, spec, node.pid
    )
    merge_log(rows, node.log(grant), streams=grant.streams)
    return Exchange(rows, result, client_use, node_use, node.report(grant))


async def run_job(
    job: MediaJob,
    client: Child,
    spec: StreamSpec,
    node_pid: int | None = None,
    *,
    stop_when_sent: bool = False,
) -> tuple[Rows, JobResult, Usage, Usage | None]:
    """Let the worker do one job, and look at its and the node's use of CPU and memory while it sends.

    `stop_when_sent` does not wait for answers that cannot come. Raises RuntimeError when it fails.
    """
    rows, progress = shared_rows(job.rows), SharedArray.create(PROGRESS, 1)
    client.send(job, (rows.fd, progress.fd))
    rows.close_fd()
    progress.close_fd()
    watching = asyncio.create_task(_watch(progress.array, spec, client.pid, node_pid, stop=stop_when_sent))
    try:
        answer = await client.receive(spec.duration_ns / 1e9 + PATIENCE_S)
        if not isinstance(answer, JobResult) or answer.outcome == "unreachable":
            raise RuntimeError(f"the session failed: {answer}")
        client_use, node_use = await asyncio.wait_for(watching, 5)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    samples = Running(rows.array, job.plan(), int(progress.array["start_ns"][0])).samples()
    return samples, answer, client_use, node_use


async def _watch(
    progress: NDArray[np.void], spec: StreamSpec, client: int, node: int | None, *, stop: bool
) -> tuple[Usage, Usage | None]:
    while progress["phase"][0] < SENDING:  # noqa: ASYNC110
        await asyncio.sleep(0.005)  # shared memory has no other sign
    pids = [client] if node is None else [client, node]
    duration_ns = spec.duration_ns
    before = await _look_at(pids, int(progress["start_ns"][0] + EARLY * duration_ns))
    after = await _look_at(pids, int(progress["start_ns"][0] + LATE * duration_ns))
    while stop and progress["phase"][0] <= WAITING:
        if progress["phase"][0] == WAITING:
            progress["stop"] = 1
            break
        await asyncio.sleep(0.01)
    uses = [_usage(was, now) for was, now in zip(before, after, strict=True)]
    return uses[0], uses[1] if len(uses) > 1 else None


class _Look(NamedTuple):
    time_ns: int
    cpu_ns: int
    memory: dict[str, int]


async def _look_at(pids: list[int], at_ns: int) -> list[_Look]:
    """CPU time and memory of each process at a moment of the monotonic clock."""
    await asyncio.sleep(max(at_ns - monotonic_ns(), 0) / 1e9)
    return [_Look(monotonic_ns(), cpu_ns(pid), resident_bytes(pid)) for pid in pids]


def _usage(was: _Look, now: _Look) -> Usage:
    return Usage(
        was.time_ns,
        now.time_ns,
        now.cpu_ns - was.cpu_ns,
        now.memory["anonymous"],
        now.memory["shared"],
        now.memory["anonymous"] - was.memory["anonymous"],
    )


async def measured_calls(
    count: int, seconds: float, *, pin: bool = False, plain: bool = False, interval_ns: int | None = None
) -> Exchange:
    """A session of `count` calls between fresh processes: the usual case of the rows."""
    spec = calls(count, seconds) if interval_ns is None else calls(count, seconds, interval_ns=interval_ns)
    cpus = (OTHER_CPU, CLIENT_CPU) if pin else (None, None)
    async with node(plain=plain, cpu=cpus[0]) as peer, worker(cpu=cpus[1]) as client:
        return await run_session(spec, peer, client, plain=plain)
