"""A client and a node's reflector, back to back over an emulated path in virtual time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.impairment.chain import Path
from probe.impairment.profile import Impairment
from probe.impairment.virtual import BatchCarrier
from probe.methods.batch import ADDRESS_BYTES
from probe.methods.media_client import MediaClient
from probe.methods.protection import UNPROTECTED, Protection
from probe.methods.reflected_session import ReflectedSession
from probe.methods.reflector import Reflector
from probe.methods.running import Running
from probe.methods.schedule import StreamSpec, schedule, stream_spec
from probe.metrics import RUNNING, Rows, empty_rows
from probe.session.merge import merge_log
from probe.wire.log import LOG
from probe.wire.media import SLOT_BITS

SECOND_NS = 1_000_000_000
TOKEN = bytes(range(16))
SSRC_BASE = (5 << SLOT_BITS) | 7


@dataclass
class Exchange:
    """One finished session in virtual time."""

    rows: Rows
    log: NDArray[np.void]
    client: MediaClient
    session: ReflectedSession
    reflector: Reflector
    path: Path


def reflector_for(
    spec: StreamSpec,
    packets: int,
    log: NDArray[np.void],
    *,
    nack: bool,
    protection: Protection = UNPROTECTED,
) -> tuple[Reflector, ReflectedSession]:
    """A reflector with one session, bound to the only address there is."""
    session = ReflectedSession(
        1,
        TOKEN,
        ssrc_base=SSRC_BASE,
        streams=spec.calls,
        packets=packets,
        rate_pps=spec.calls * packets / (spec.duration_ns / SECOND_NS) * protection.packets_ratio(),
        nack=nack,
        one_way=spec.one_way,
        log_rows=log,
        protection=protection,
    )
    session.bind(np.zeros(ADDRESS_BYTES, np.uint8))
    reflector = Reflector(b"secret")
    reflector.open(session)
    return reflector, session


def exchange(
    up: Impairment,
    down: Impairment,
    *,
    preset: str = "voice",
    calls: int = 1,
    seconds: float = 10,
    nack: bool = True,
    seed: int = 1,
    protection: Protection = UNPROTECTED,
) -> Exchange:
    """Run one stream over (up, down) until everything has arrived or been given up."""
    spec = stream_spec(preset, calls=calls, duration_ns=int(seconds * SECOND_NS))
    plan = schedule(spec, np.random.default_rng(seed))
    rows = empty_rows(calls * plan.packets, RUNNING)
    client = MediaClient(
        spec,
        plan,
        rows,
        ssrc_base=SSRC_BASE,
        token=TOKEN,
        nack=nack,
        start_ns=SECOND_NS,
        protection=protection,
    )
    log = np.zeros(2 * len(rows) + 1024, LOG)
    reflector, session = reflector_for(spec, plan.packets, log, nack=nack, protection=protection)
    path = Path.of([up], [down], seed)
    BatchCarrier(client, reflector, path, start_ns=SECOND_NS).run(int((seconds + 5) * SECOND_NS))
    log = log[: session.counts.logged]
    merge_log(rows, log, streams=calls)
    rows = Running(rows, plan, SECOND_NS).samples()
    return Exchange(rows, log, client, session, reflector, path)
