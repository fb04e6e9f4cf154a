"""One node's sessions, one after the other: each is opened, measured, harvested and written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from probe.errors import NotMeasured, ProbeError, Unreachable
from probe.impairment.profile import Impairment
from probe.methods.negotiation import Grant, OpenRequest
from probe.methods.schedule import SECOND_NS, schedule
from probe.metrics import SAMPLE, empty_rows
from probe.net.address import Address, resolve
from probe.net.clock import monotonic_ns, wall_offset
from probe.net.job import CONNECTING, PROGRESS, SENDING, JobResult, MediaJob
from probe.net.process import Child
from probe.net.quic import ControlConnection, connect_control
from probe.net.relay import Relay
from probe.net.shared import SharedArray
from probe.plan.expand import NodeSchedule, SessionSpec
from probe.records import COMPLETED, DIED, FAILED, INTERRUPTED, UNREACHABLE
from probe.session.context import RunContext
from probe.session.emulated import EmulatedNode
from probe.session.harvest import Harvest
from probe.session.progress import SessionFinished, SessionProgress

CONTROL_TIMEOUT_S = 10.0
POLL_S = 0.25
HARVEST_EVERY = 4  # polls
PHASES = ("connecting", "sending", "waiting", "done")


@dataclass(frozen=True, slots=True)
class Target:
    """How to reach a node: as the plan says, or as its emulation just told."""

    host: str
    port: int
    key: bytes
    fingerprint: str | None
    cafile: str | None


class Lane:
    """Runs the sessions of `node` with a worker process of its own."""

    def __init__(self, node: NodeSchedule, context: RunContext) -> None:
        self._node, self._context = node, context

    async def run(self) -> None:
        """All sessions, or as many as there were before the run was stopped."""
        async with contextlib.AsyncExitStack() as stack:
            target = await self._target(stack)
            worker = Child.start("probe.net.worker:work")
            stack.push_async_callback(worker.stop)
            for spec in self._node.sessions:
                if self._context.stopping.is_set():
                    return
                session = _Session(self._node, spec, target, worker, self._context)
                await session.run()

    async def _target(self, stack: contextlib.AsyncExitStack) -> Target:
        node = self._node.node
        if node.endpoint.emulated:
            emulated = await stack.enter_async_context(EmulatedNode())
            host, port = emulated.address
            return Target(host, port, emulated.key, emulated.fingerprint, None)
        key = self._node.key.get_secret_value().encode() if self._node.key else b""
        return Target(node.endpoint.host, node.endpoint.port, key, node.fingerprint, node.cafile)


class _Session:
    """One session from open to written."""

    def __init__(
        self, node: NodeSchedule, spec: SessionSpec, target: Target, worker: Child, context: RunContext
    ) -> None:
        self._node, self._spec, self._target = node, spec, target
        self._worker, self._context = worker, context
        self._record = context.new_record(node, spec)
        self._relay: Relay | None = None
        self._stream = spec.scenario.stream
        self._plan = schedule(self._stream, np.random.default_rng(self._record.seed))
        self._record.packets = self._plan.packets
        self._record.rate_pps = (
            self._plan.packets * self._stream.calls / (self._stream.duration_ns / SECOND_NS)
        )

    async def run(self) -> None:
        record = self._record
        self._tell(CONNECTING, 0, 0)
        try:
            await self._measure()
        except Unreachable as error:
            record.outcome, record.error = UNREACHABLE, {"code": "unreachable", "detail": str(error)}
        except NotMeasured as error:
            code = type(error).__name__
            record.outcome, record.error = FAILED, {"code": code, "detail": str(error), "hint": error.hint}
        await asyncio.to_thread(self._context.writer.finish_session, record)
        self._context.listener(SessionFinished(record))

    async def _measure(self) -> None:
        started_ns = monotonic_ns()
        address = await asyncio.to_thread(resolve, self._target.host, self._target.port)
        self._record.resolve_ms = (monotonic_ns() - started_ns) / 1e6
        async with connect_control(
            address,
            key=self._target.key,
            fingerprint=self._target.fingerprint,
            cafile=self._target.cafile,
            server_name=self._target.host,
            timeout=CONTROL_TIMEOUT_S,
        ) as control:
            grant = await control.open(self._request())
            self._apply(grant)
            async with contextlib.AsyncExitStack() as stack:
                path = await self._relayed(stack, address)
                await self._exchange(control, grant, path)

    def _request(self) -> OpenRequest:
        stream, plan = self._stream, self._plan
        return OpenRequest(
            transport=self._spec.transport,
            streams=stream.calls,
            packets=plan.packets,
            packet_bytes=int(plan.size.max()),
            rate_pps=self._record.rate_pps,
            rate_bps=stream.bitrate_bps * stream.calls,
            duration_ms=-(-stream.duration_ns // 1_000_000),
            one_way=stream.one_way,
            nack=self._record.nack,
            deadline_ms=self._record.deadline_ns // 1_000_000,
        )

    def _apply(self, grant: Grant) -> None:
        """Send what was granted: fewer calls, or the head of the stream; a slower stream is another one."""
        record, asked = self._record, self._request()
        record.restricted = [asdict(item) for item in grant.restricted]
        for name, flag in (("packet_bytes", "--max-packet-bytes"), ("rate_bps", "--max-rate")):
            share = grant.streams / asked.streams if name == "rate_bps" else 1
            if getattr(grant, name) < int(getattr(asked, name) * share):
                raise NotMeasured(
                    f"the node allows {name} of {getattr(grant, name)}, this stream has {getattr(asked, name)}",
                    hint=f"ask the partner to raise the node's {flag}, or make the scenario smaller",
                )
        within = self._plan.time_ns < grant.duration_ms * 1_000_000
        record.packets = min(grant.packets, int(within.sum()))
        record.calls = grant.streams
        self._stream = replace(self._stream, calls=grant.streams)

    async def _relayed(self, stack: contextlib.AsyncExitStack, address: Address) -> Address:
        """The address to send to: that of a relay when an emulated path or a weak network is asked for."""
        profiles = [self._context.networks[name] for name in (self._spec.path, self._spec.network) if name]
        profiles = [profile for profile in profiles if not profile.clean]
        if not profiles:
            return address
        up: Sequence[Impairment] = [profile.up for profile in profiles]
        down: Sequence[Impairment] = [profile.down for profile in profiles]
        self._relay = await stack.enter_async_context(Relay.start(address, up, down, self._record.seed))
        return self._relay.address

    async def _exchange(self, control: ControlConnection, grant: Grant, path: Address) -> None:
        record = self._record
        count = grant.streams * record.packets
        rows, progress = SharedArray.create(SAMPLE, count), SharedArray.create(PROGRESS, 1)
        rows.array[:] = empty_rows(count)
        record.wall_offset_ns = wall_offset().offset_ns
        self._worker.send(self._job(grant, path, count), (rows.fd, progress.fd))
        rows.close_fd()
        progress.close_fd()
        harvest = Harvest(control, grant.session, record, rows.array, self._context.writer)
        try:
            result = await self._watch(control, harvest, progress.array)
            await self._conclude(control, grant, harvest, result)
        finally:
            await harvest.finish()

    def _job(self, grant: Grant, path: Address, count: int) -> MediaJob:
        return MediaJob(
            transport=self._spec.transport,
            address=path,
            session=grant.session,
            token=grant.token,
            ssrc_base=grant.ssrc_base,
            spec=self._stream,
            packets=self._record.packets,
            rows=count,
            seed=self._record.seed,
            nack=grant.nack,
            deadline_ns=self._record.deadline_ns,
            server_name=self._target.host,
            fingerprint=self._target.fingerprint,
            cafile=self._target.cafile,
        )

    async def _watch(self, control: ControlConnection, harvest: Harvest, progress: Any) -> JobResult:
        """Wait for the worker; harvest meanwhile; stop it when the node dies or the run is stopped."""
        for poll in range(1 << 62):
            try:
                answer = await self._worker.receive(timeout=POLL_S)
            except TimeoutError:
                pass
            else:
                if isinstance(answer, ProbeError):
                    raise answer
                assert isinstance(answer, JobResult)
                return answer
            self._tell(*(int(progress[name][0]) for name in ("phase", "sent", "received")))
            if control.lost.is_set() or self._context.stopping.is_set():
                progress["stop"] = 1
            elif poll % HARVEST_EVERY == 0 and progress["phase"][0] >= SENDING:
                with contextlib.suppress(Unreachable):
                    await harvest.step()
        raise AssertionError("unreachable")

    async def _conclude(
        self, control: ControlConnection, grant: Grant, harvest: Harvest, result: JobResult
    ) -> None:
        record = self._record
        record.handshake_ms, record.bind_ms = result.handshake_ms, result.bind_ms
        record.first_packet_ms = result.first_packet_ms
        phases = (record.resolve_ms, record.handshake_ms, record.bind_ms, record.first_packet_ms)
        if all(phase is not None for phase in phases):
            record.connect_ms = sum(phase for phase in phases if phase is not None)
        record.client |= result.counters
        record.quality |= result.quality
        if result.outcome == UNREACHABLE:
            record.outcome, record.error = UNREACHABLE, result.error
            return
        record.outcome = INTERRUPTED if self._context.stopping.is_set() else COMPLETED
        try:
            await harvest.step()
            record.counters = await control.close(grant.session)
        except Unreachable as error:
            record.outcome, record.error = DIED, {"code": "died", "detail": str(error)}
        if self._relay is not None:
            record.impairment = asdict(await self._relay.counters())

    def _tell(self, phase: int, sent: int, received: int) -> None:
        total = self._record.calls * self._record.packets
        self._context.listener(SessionProgress(self._record, PHASES[phase], total, sent, received))
