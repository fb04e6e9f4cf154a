"""Whole sessions in virtual time, for tests of what is made of their packets."""

from __future__ import annotations

from typing import Any

from probe.impairment.profile import Impairment, Loss, NetworkProfile
from probe.methods.schedule import stream_spec
from probe.metrics import Rows
from probe.records import SessionRecord
from probe.session.virtual import run_virtual
from tests.analysis.made import record

MS = 1_000_000
SECOND_NS = 1_000_000_000


def lossy(ratio: float, burst: float | None = None, *, delay_ms: int = 30, jitter_ms: int = 0) -> Impairment:
    """A direction with this mean loss, independent or in bursts."""
    loss = Loss(ratio, burst) if ratio else None
    return Impairment(delay_ns=delay_ms * MS, jitter_ns=jitter_ms * MS, loss=loss)


def measure(up: Impairment, down: Impairment, **options: Any) -> tuple[SessionRecord, Rows]:
    """As `measure_through`, of a network of these two directions."""
    return measure_through(NetworkProfile("net", "net", up, down, "test"), **options)


def measure_through(
    network: NetworkProfile,
    *,
    seed: int,
    preset: str = "voice",
    calls: int = 1,
    seconds: float = 20,
    bitrate_bps: int | None = None,
    **changes: Any,
) -> tuple[SessionRecord, Rows]:
    """A session through a network; `changes` are of its record."""
    spec = stream_spec(preset, calls=calls, duration_ns=round(seconds * SECOND_NS), bitrate_bps=bitrate_bps)
    made = record(
        scenario=preset,
        network=network.name,
        seed=seed,
        calls=calls,
        packets=0,
        interval_ns=spec.interval_ns,
        duration_ns=spec.duration_ns,
        one_way=spec.one_way,
        **changes,
    )
    return made, run_virtual(made, spec, [network], 1_795_000_000 * SECOND_NS)
