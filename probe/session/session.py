"""One session: the node is reached, asked, measured, and whatever came of it is written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np

from probe.errors import NotMeasured, ProbeError, StoreError, Unreachable
from probe.methods.negotiation import Grant, OpenRequest
from probe.methods.schedule import SECOND_NS, schedule
from probe.net.address import Address
from probe.net.clock import monotonic_ns
from probe.net.job import CONNECTING, DONE, MediaJob
from probe.net.quic import ControlConnection, connect_control
from probe.plan.expand import NodeSchedule, SessionSpec
from probe.records import FAILED, INTERRUPTED, UNREACHABLE
from probe.session.context import RunContext, protection_of
from probe.session.exchange import Exchange
from probe.session.packet_loop import PacketLoop
from probe.session.progress import SessionFinished, SessionProgress
from probe.session.stopping import CutOff
from probe.session.target import Target, address_of
from probe.session.weakening import Weakened, weak_profiles, weakened

GRACE_S = 0.8
"""For a session to end in good order once the run is stopped; then it is cut off."""
CLOSE_S = 1.0
PHASES = ("connecting", "sending", "waiting", "done")


class Session:
    """`spec` measured at `target`, or the reason why there is none."""

    def __init__(
        self,
        node: NodeSchedule,
        spec: SessionSpec,
        target: Target | NotMeasured,
        packets: PacketLoop,
        context: RunContext,
    ) -> None:
        self._spec, self._target = spec, target
        self._packets, self._context = packets, context
        self.record = context.new_record(node, spec)
        self._stream = spec.scenario.stream
        self._plan = schedule(self._stream, np.random.default_rng(self.record.seed))
        self.record.packets = self._plan.packets
        rate = self._plan.packets * self._stream.calls / (self._stream.duration_ns / SECOND_NS)
        self.record.rate_pps = rate

    async def run(self, patience_s: float) -> None:
        """Measure and write, waiting `patience_s` for the node's first answer. Raises StoreError alone."""
        record, stopping = self.record, self._context.stopping
        self._tell(CONNECTING, 0, 0)
        try:
            async with stopping.cutting_off(GRACE_S):
                await self._measure(patience_s)
        except CutOff:
            record.outcome = INTERRUPTED
        except StoreError:
            raise
        except Unreachable as error:
            record.outcome, record.error = UNREACHABLE, _told("unreachable", error)
        except NotMeasured as error:
            record.outcome, record.error = FAILED, _told(type(error).__name__, error)
        if record.outcome == INTERRUPTED:
            record.error = stopping.error()
        record.ended_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        await asyncio.to_thread(self._context.writer.finish_session, record)
        self._context.listener(SessionFinished(record))

    async def _measure(self, patience_s: float) -> None:
        target, record = self._target, self.record
        if isinstance(target, NotMeasured):
            raise target
        started_ns = monotonic_ns()
        address = await address_of(target, patience_s)
        record.resolve_ms = (monotonic_ns() - started_ns) / 1e6
        async with (
            connect_control(
                address,
                key=target.key,
                fingerprint=target.fingerprint,
                cafile=target.cafile,
                server_name=target.host,
                timeout=patience_s,
            ) as control,
            self._opened(control) as grant,
            self._path(address) as path,
        ):
            exchange = Exchange(control, grant, path, self._packets, self._context, record)
            try:
                await exchange.run(self._job(target, grant, path.address), weak=self._weak, tell=self._tell)
            finally:
                self._tell(DONE, exchange.sent, exchange.back)

    @property
    def _weak(self) -> bool:
        """Whether a weak network of our own choosing is in the way, beside an emulated node's access."""
        return not self._context.networks[self._spec.network].clean

    @contextlib.asynccontextmanager
    async def _opened(self, control: ControlConnection) -> AsyncIterator[Grant]:
        """A session on the node, closed whatever happens: an open one counts against the next."""
        grant = await control.open(self._request())
        try:
            self._apply(grant)
            yield grant
        finally:
            if control.reason is None and not self.record.counters:
                with contextlib.suppress(ProbeError, TimeoutError):
                    self.record.counters = await asyncio.wait_for(control.close(grant.session), CLOSE_S)

    def _path(self, address: Address) -> contextlib.AbstractAsyncContextManager[Weakened]:
        """Where to send: through an emulated access and a weak network in a row, or straight to the node."""
        profiles = weak_profiles(self._spec, self._context.networks)
        usual = int(self._plan.size.mean())
        return weakened(address, profiles, self.record.seed, usual, self._context.carriage)

    def _request(self) -> OpenRequest:
        stream, plan, protection = self._stream, self._plan, protection_of(self.record)
        beside = protection.bytes_beside(plan.size) * 8 * SECOND_NS // stream.duration_ns
        return OpenRequest(
            transport=self._spec.transport,
            streams=stream.calls,
            packets=plan.packets,
            packet_bytes=int(protection.sizes(plan.size).max()),
            rate_pps=self.record.rate_pps * protection.packets_ratio(),
            rate_bps=(stream.bitrate_bps + beside) * stream.calls,
            duration_ms=-(-stream.duration_ns // 1_000_000),
            one_way=stream.one_way,
            nack=self.record.nack,
            deadline_ms=self.record.deadline_ns // 1_000_000,
            **asdict(protection),
        )

    def _apply(self, grant: Grant) -> None:
        """Send what was granted: fewer calls, or the head of the stream; a slower stream is another one."""
        record, asked = self.record, self._request()
        record.restricted = [asdict(item) for item in grant.restricted]
        share = grant.streams / asked.streams
        for name, least in (
            ("packet_bytes", asked.packet_bytes),
            ("rate_bps", int(asked.rate_bps * share)),
            ("rate_pps", asked.rate_pps * share * (1 - 1e-9)),
        ):
            if getattr(grant, name) < least:
                flag = "--max-packet-bytes" if name == "packet_bytes" else "--max-rate"
                raise NotMeasured(
                    f"the node allows {name} of {getattr(grant, name):g}, this stream has {least:.6g}",
                    hint=f"ask the partner to raise the node's {flag}, or make the scenario smaller",
                )
        within = self._plan.time_ns < grant.duration_ms * 1_000_000
        record.packets = min(grant.packets, int(within.sum()))
        record.calls = grant.streams
        self._stream = replace(self._stream, calls=grant.streams)

    def _job(self, target: Target, grant: Grant, path: Address) -> MediaJob:
        return MediaJob(
            transport=self._spec.transport,
            address=path,
            session=grant.session,
            token=grant.token,
            ssrc_base=grant.ssrc_base,
            spec=self._stream,
            packets=self.record.packets,
            rows=self.record.packets * grant.streams,
            seed=self.record.seed,
            nack=grant.nack,
            deadline_ns=self.record.deadline_ns,
            server_name=target.host,
            fingerprint=target.fingerprint,
            cafile=target.cafile,
            plain=self._context.carriage.plain,
            punctuality=self._context.carriage.punctuality,
            protection=grant.protection,
        )

    def _tell(self, phase: int, sent: int, received: int) -> None:
        total = self.record.calls * self.record.packets
        self._context.listener(SessionProgress(self.record, PHASES[phase], total, sent, received))


def _told(code: str, error: ProbeError) -> dict[str, str]:
    return {"code": code, "detail": str(error), "hint": error.hint}
