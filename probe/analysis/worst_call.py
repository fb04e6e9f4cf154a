"""The worst of a session's concurrent calls, shown beside their sums."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.analysis.fates import LOST, Fates
from probe.metrics import NEVER, Fate, Rows, Times
from probe.records import Json, SessionRecord

TRIP_BITS = 40
LONGEST_NS = (1 << TRIP_BITS) - 1
"""A sort key holds a stream above a round trip of up to 18 minutes."""


def worst_call(record: SessionRecord, rows: Rows, fates: Fates, round_trip: Times) -> Json | None:
    """The stream that lost most, and of equals the one with the highest 95th percentile."""
    stream = rows["stream"].astype(np.int64)
    streams = int(stream.max(initial=0)) + 1
    sent = np.bincount(stream[fates.fate != Fate.UNSENT], minlength=streams)
    if streams < 2 or not sent.any():
        return None
    lost = np.bincount(stream[np.isin(fates.fate, LOST)], minlength=streams)
    with np.errstate(invalid="ignore"):
        loss = lost / sent
    p95 = np.full(streams, np.nan) if record.one_way else _p95_ms(stream, sent, round_trip)
    ranked = np.lexsort((np.nan_to_num(p95, posinf=np.finfo(float).max), np.nan_to_num(loss, nan=-1.0)))
    worst = int(ranked[-1])
    shown = float(p95[worst]) if np.isfinite(p95[worst]) else None
    infinite = ["rtt_p95_ms"] if np.isinf(p95[worst]) else []
    return {"stream": worst, "loss_ratio": float(loss[worst]), "rtt_p95_ms": shown, "infinite": infinite}


def _p95_ms(stream: NDArray[Any], sent: NDArray[Any], round_trip: Times) -> NDArray[np.float64]:
    """Each stream's 95th percentile with lost = infinite; nan for a stream that sent nothing."""
    arrived = round_trip != NEVER
    ordered = np.sort(stream[arrived] << TRIP_BITS | np.clip(round_trip[arrived], 0, LONGEST_NS))
    received = np.bincount(stream[arrived], minlength=len(sent))
    start = np.cumsum(received) - received
    rank = np.maximum(-(-95 * sent // 100), 1)
    p95 = np.where(sent > 0, np.inf, np.nan)
    resolved = (rank <= received) & (sent > 0)
    p95[resolved] = (ordered[(start + rank - 1)[resolved]] & LONGEST_NS) / 1e6
    return p95
