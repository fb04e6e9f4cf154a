"""Made-up sessions: records, packets and whole summaries for the tests of analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from probe.analysis.results import SessionSummary
from probe.analysis.session import analyse_session
from probe.metrics import NEVER, Repair, Rows, Times, empty_rows
from probe.records import SessionRecord

MS = 1_000_000
S = 1_000_000_000
START = 7_000 * S
NODE_AHEAD = 12_345 * S
REMEDIES = np.array([Repair.RTX, Repair.FEC, Repair.RED], np.uint8)


def about(value: float) -> Any:
    """Equal but for rounding, also within a tuple."""
    return pytest.approx(value)


def record(**changes: Any) -> SessionRecord:
    """A completed UDP voice session of vendor alpha in the evening."""
    values: dict[str, Any] = {
        "run_id": "20261122T120000Z-000000",
        "index": 0,
        "country": "ID",
        "vendor": "alpha",
        "node": "jkt-1",
        "role": "vendor",
        "scenario": "voice",
        "network": "clean",
        "window": "peak",
        "transport": "udp",
        "endpoint": "probe://192.0.2.1:40000",
        "emulated": False,
        "seed": 1,
        "started_at": "2026-11-22T12:00:00+00:00",
        "local_time": "2026-11-22T19:00:00+07:00",
        "timezone": "Asia/Jakarta",
        "calls": 1,
        "packets": 100,
        "rate_pps": 50.0,
        "interval_ns": 20 * MS,
        "duration_ns": 20 * S,
        "deadline_ns": 200 * MS,
        "one_way": False,
        "nack": True,
        "outcome": "completed",
        "connect_ms": 120.0,
    }
    return SessionRecord(**(values | changes))


def times(values: Sequence[float | None]) -> Times:
    """Milliseconds as ns; None is never."""
    return np.array([NEVER if value is None else round(value * MS) for value in values], np.int64)


def crossings(
    up_ms: Sequence[float | None],
    down_ms: Sequence[float | None],
    *,
    streams: int = 1,
    spacing_ms: float = 20,
) -> Rows:
    """Packets with these one-way delays, spread over `streams` in turn; None is lost.

    A packet lost on the way up is not reflected; the node holds a packet for 0.05 ms.
    """
    rows = empty_rows(len(up_ms))
    each = len(up_ms) // streams
    rows["seq"] = np.arange(len(up_ms)) % each
    rows["stream"] = np.arange(len(up_ms)) // each
    rows["size"] = 120
    sent = START + np.round(rows["seq"].astype(np.float64) * spacing_ms * MS).astype(np.int64)
    rows["scheduled_ns"] = rows["sent_ns"] = sent
    up, down = times(up_ms), times(down_ms)
    reached, returned = up != NEVER, (up != NEVER) & (down != NEVER)
    rows["node_received_ns"][reached] = (sent + up + NODE_AHEAD)[reached]
    rows["node_sent_ns"][reached] = (sent + up + NODE_AHEAD + 50_000)[reached]
    rows["received_ns"][returned] = (sent + up + 50_000 + down)[returned]
    for stream in range(streams):
        mine = reached & (rows["stream"] == stream)
        rows["down_seq"][mine] = np.arange(np.count_nonzero(mine))
    return rows


def steady(
    n: int = 1000, up_ms: float = 30, down_ms: float = 40, *, lost_up: int = 0, lost_down: int = 0
) -> Rows:
    """Constant delays; the first packets of the session are lost on the way up, then on the way down."""
    up: list[float | None] = [None] * lost_up + [up_ms] * (n - lost_up)
    down: list[float | None] = [None] * (lost_up + lost_down) + [down_ms] * (n - lost_up - lost_down)
    return crossings(up, down)


def scattered(n: int = 1000, lost_up: int = 60) -> Rows:
    """As `steady`, with the losses on the way up one by one and evenly apart."""
    lost = set(np.linspace(0, n - 1, lost_up).astype(int).tolist())
    return crossings([None if at in lost else 30.0 for at in range(n)], [40.0] * n)


def summary(rows: Rows | None = None, **changes: Any) -> SessionSummary:
    """An analysed session."""
    return analyse_session(record(**changes), steady() if rows is None else rows)


def noisy(n: int, seed: int, *, streams: int = 1, loss: float = 0.03) -> Rows:
    """Random queues, loss and repairs in both directions."""
    random = np.random.default_rng(seed)

    def delays(floor: float) -> list[float | None]:
        lost = random.random(n) < loss
        return [
            None if gone else floor + extra
            for gone, extra in zip(lost, random.exponential(6, n), strict=True)
        ]

    rows = crossings(delays(25), delays(33), streams=streams)
    repaired = random.random(n) < 0.8
    up = (rows["node_received_ns"] == NEVER) & repaired
    rows["up_repaired_ns"][up] = rows["sent_ns"][up] + NODE_AHEAD + 110 * MS
    rows["up_repair"][up] = random.choice(REMEDIES, np.count_nonzero(up))
    down = (rows["node_sent_ns"] != NEVER) & (rows["received_ns"] == NEVER) & repaired
    rows["down_repaired_ns"][down] = rows["node_sent_ns"][down] - NODE_AHEAD + 130 * MS
    rows["down_repair"][down] = random.choice(REMEDIES, np.count_nonzero(down))
    return rows
