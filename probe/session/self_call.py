"""A short call of this machine with itself: the product's own processes over loopback, graded like any session."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from probe.analysis.results import SessionSummary
from probe.analysis.session import analyse_session
from probe.errors import NotMeasured
from probe.methods.negotiation import TOKEN_BYTES, UDP, Grant
from probe.methods.running import Running
from probe.methods.schedule import SECOND_NS, Schedule, StreamSpec, schedule, stream_spec
from probe.net.address import Address
from probe.net.job import Carriage, JobResult, MediaJob
from probe.net.media_process import MediaProcess
from probe.net.port_split import bind_one
from probe.records import COMPLETED, UNREACHABLE, SessionRecord
from probe.session.merge import merge_log
from probe.session.packet_loop import PacketLoop
from probe.wire.media import SLOT_BITS

CALLS, SECONDS = 4, 2.5
"""500 packets, each with a wake-up of its own."""
DEADLINE_NS = 200_000_000
SEED = 1
_SETTLE_S = 0.25
"""The node hands out what it logged when it has nothing else to do."""
_PATIENCE_S = 20.0


async def call_oneself(carriage: Carriage, *, calls: int = CALLS, seconds: float = SECONDS) -> SessionSummary:
    """Measure, and analyse what was measured. Raises NotMeasured when no packet came through."""
    spec = stream_spec("voice", calls=calls, duration_ns=int(seconds * SECOND_NS))
    plan = schedule(spec, np.random.default_rng(SEED))
    sock = bind_one(("127.0.0.1", 0))
    address = sock.getsockname()
    media = await MediaProcess.start(sock, plain=carriage.plain, punctuality=carriage.punctuality)
    packets = PacketLoop()
    try:
        grant = _grant(spec, plan)
        media.open(grant)
        packets.start(_job(grant, spec, address, carriage))
        result = await packets.result(seconds + _PATIENCE_S)
        report = await _settled(media, grant)
        rows = packets.rows
        merge_log(rows, media.log(grant.session, 0, 2 * len(rows)), streams=calls)
        start_ns = int(packets.progress["start_ns"][0])
        return analyse_session(_record(spec, plan, result, report), Running(rows, plan, start_ns).samples())
    except TimeoutError:
        raise NotMeasured(
            "a call of this machine with itself did not end", hint="is it overloaded?"
        ) from None
    except OSError as error:
        raise NotMeasured(
            f"no memory for a call of this machine with itself: {error.strerror}",
            hint="free some in /dev/shm",
        ) from None
    finally:
        await packets.abandon()
        await packets.stop()
        await media.stop()


async def _settled(media: MediaProcess, grant: Grant) -> dict[str, Any]:
    """The node's report, once it changes no more."""
    before: dict[str, Any] | None = None
    while (now := media.report(grant.session)) != before:
        before = now
        await asyncio.sleep(_SETTLE_S)
    return now


def _grant(spec: StreamSpec, plan: Schedule) -> Grant:
    return Grant(
        transport=UDP,
        streams=spec.calls,
        packets=plan.packets,
        packet_bytes=int(plan.size.max()),
        rate_pps=_rate_pps(spec, plan),
        rate_bps=spec.calls * spec.bitrate_bps,
        duration_ms=spec.duration_ns // 1_000_000,
        one_way=False,
        nack=True,
        deadline_ms=DEADLINE_NS // 1_000_000,
        session=1,
        token=secrets.token_bytes(TOKEN_BYTES),
        ssrc_base=1 << SLOT_BITS,
    )


def _rate_pps(spec: StreamSpec, plan: Schedule) -> float:
    return spec.calls * plan.packets / (spec.duration_ns / SECOND_NS)


def _job(grant: Grant, spec: StreamSpec, address: Address, carriage: Carriage) -> MediaJob:
    return MediaJob(
        transport=grant.transport,
        address=address,
        session=grant.session,
        token=grant.token,
        ssrc_base=grant.ssrc_base,
        spec=spec,
        packets=grant.packets,
        rows=grant.packets * grant.streams,
        seed=SEED,
        nack=grant.nack,
        deadline_ns=DEADLINE_NS,
        server_name="",
        fingerprint=None,
        cafile=None,
        signalling=False,
        plain=carriage.plain,
        punctuality=carriage.punctuality,
    )


def _record(spec: StreamSpec, plan: Schedule, result: JobResult, report: dict[str, Any]) -> SessionRecord:
    """A record as of any session, of nobody's node."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    record = SessionRecord(
        run_id="",
        index=0,
        country="",
        vendor="",
        node="",
        network="",
        endpoint="",
        role="self",
        scenario=spec.preset,
        window="other",
        transport=UDP,
        emulated=True,
        seed=SEED,
        started_at=now,
        local_time=now,
        timezone="UTC",
        calls=spec.calls,
        packets=plan.packets,
        rate_pps=_rate_pps(spec, plan),
        interval_ns=spec.interval_ns,
        duration_ns=spec.duration_ns,
        deadline_ns=DEADLINE_NS,
        one_way=False,
        nack=True,
    )
    outcome = COMPLETED if result.outcome == COMPLETED else UNREACHABLE
    return replace(
        record,
        outcome=outcome,
        counters=report,
        client=result.counters,
        quality=result.quality,
        error=result.error,
    )
