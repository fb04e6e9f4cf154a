"""A UDP session between two real processes of ours on loopback, without the control channel."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.methods.negotiation import Grant
from probe.methods.protection import UNPROTECTED, Protection
from probe.methods.running import Running
from probe.methods.schedule import Schedule, StreamSpec, schedule, stream_spec
from probe.metrics import NEVER, Rows
from probe.net.address import Address
from probe.net.job import PROGRESS, JobResult, MediaJob, shared_rows
from probe.net.media_job import run_udp_job
from probe.net.media_process import MediaProcess
from probe.net.port_split import bind_one
from probe.net.process import Child
from probe.net.punctual import ORDINARY, Punctuality
from probe.net.shared import SharedArray
from probe.session.merge import merge_log

SEED = 1
MS = 1_000_000


@dataclass
class Session:
    """One session under way, and what came of it."""

    client_pid: int
    node_pid: int
    progress: NDArray[np.void]
    shared: Rows
    """The rows while it runs."""
    result: JobResult = field(default_factory=JobResult)
    rows: Rows = field(default_factory=lambda: np.zeros(0, np.void))
    report: dict[str, Any] = field(default_factory=dict)

    async def reaches(self, sent: int) -> None:
        """Return when so many packets have had their turn."""
        async with asyncio.timeout(30):
            while self.progress["sent"][0] < sent:  # noqa: ASYNC110 (shared memory has no other sign)
                await asyncio.sleep(0.005)

    @property
    def lost(self) -> int:
        return int(((self.rows["unsent"] == 0) & (self.rows["received_ns"] == NEVER)).sum())

    @property
    def rtt_ms(self) -> NDArray[np.float64]:
        rows = self.rows[self.rows["received_ns"] != NEVER]
        away, held = rows["received_ns"] - rows["sent_ns"], rows["node_sent_ns"] - rows["node_received_ns"]
        trips: NDArray[np.float64] = (away - held) / 1e6
        return trips


During = Callable[[Session], Coroutine[Any, Any, None]]


class Loopback:
    """A node's media process, and client processes for it."""

    def __init__(self, media: MediaProcess, address: Address) -> None:
        self.address = address
        self._media, self._sessions = media, 0

    async def session(
        self,
        *,
        seconds: float = 1.0,
        calls: int = 1,
        preset: str = "voice",
        nack: bool = True,
        protection: Protection = UNPROTECTED,
        plain: bool = False,
        path: Address | None = None,
        punctuality: Punctuality = ORDINARY,
        during: During | None = None,
        here: bool = False,
    ) -> Session:
        """Run one to its end; `path` is where the client sends to, if not to the node. `here`: in a thread of the
        test's own process."""
        spec = stream_spec(preset, calls=calls, duration_ns=int(seconds * 1e9))
        plan = schedule(spec, np.random.default_rng(SEED))
        self._sessions += 1
        grant = self._grant(spec, plan.packets, nack=nack, protection=protection)
        self._media.open(grant)
        count = calls * plan.packets
        rows, progress = shared_rows(count), SharedArray.create(PROGRESS, 1)
        job = MediaJob(
            **{name: getattr(grant, name) for name in ("transport", "session", "token", "ssrc_base", "nack")},
            address=path or self.address,
            spec=spec,
            protection=protection,
            packets=plan.packets,
            rows=count,
            seed=SEED,
            deadline_ns=200 * MS,
            server_name="node",
            fingerprint=None,
            cafile=None,
            signalling=False,
            plain=plain,
            punctuality=punctuality,
        )
        if here:
            session = Session(os.getpid(), self._media.pid, progress.array, rows.array)
            answer = await asyncio.to_thread(run_udp_job, job, rows.array, progress.array)
            return await self._finished(session, answer, grant, plan)
        child = Child.start("probe.net.worker:work")
        try:
            session = Session(child.pid, self._media.pid, progress.array, rows.array)
            child.send(job, (rows.fd, progress.fd))
            meanwhile = asyncio.create_task(during(session)) if during else None
            answer = await child.receive(seconds + 30)
            assert isinstance(answer, JobResult), answer
            if meanwhile:
                await meanwhile
        finally:
            await child.stop()
        return await self._finished(session, answer, grant, plan)

    async def _finished(self, session: Session, answer: JobResult, grant: Grant, plan: Schedule) -> Session:
        """What the node knows joined to what the client saw."""
        await self._settle(grant)
        merge_log(session.shared, self._media.log(grant.session, 0, 1 << 40), streams=grant.streams)
        session.result, session.report = answer, self._media.report(grant.session)
        session.rows = Running(session.shared, plan, int(session.progress["start_ns"][0])).samples()
        self._media.close(grant.session)
        return session

    async def _settle(self, grant: Grant) -> None:
        """Until the node has published what it knows: it does so when it has nothing else to do."""
        before = None
        while (now := self._media.report(grant.session)) != before:
            before = now
            await asyncio.sleep(0.25)

    def _grant(self, spec: StreamSpec, packets: int, *, nack: bool, protection: Protection) -> Grant:
        seconds = spec.duration_ns / 1e9
        return Grant(
            transport="udp",
            streams=spec.calls,
            packets=packets,
            packet_bytes=1200,
            rate_pps=spec.calls * packets / seconds * protection.packets_ratio(),
            rate_bps=spec.calls * spec.bitrate_bps,
            duration_ms=int(seconds * 1000),
            one_way=spec.one_way,
            nack=nack,
            **asdict(protection),
            deadline_ms=200,
            session=self._sessions,
            token=secrets.token_bytes(16),
            ssrc_base=(self._sessions << 20) + 100 * self._sessions,
        )


@asynccontextmanager
async def loopback(*, plain: bool = False, punctuality: Punctuality = ORDINARY) -> AsyncIterator[Loopback]:
    """A node on loopback for the length of the block."""
    sock = bind_one(("127.0.0.1", 0))
    address = sock.getsockname()
    media = await MediaProcess.start(sock, plain=plain, punctuality=punctuality)
    try:
        yield Loopback(media, address)
    finally:
        await media.stop()
