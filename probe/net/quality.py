"""How well this process measured: lateness, stalls, stamps, drops."""

from __future__ import annotations

from typing import Any

import numpy as np

from probe.methods.running import Running
from probe.metrics import NEVER, Stamp


class LoopCanary:
    """Overshoot of a packet loop's own waits: how long the host kept it from running."""

    def __init__(self) -> None:
        self.max_ns = 0

    def woke(self, meant_ns: int, now_ns: int) -> None:
        """Take one wait that should have ended at `meant_ns`; an early end (a packet came) says nothing."""
        self.max_ns = max(self.max_ns, now_ns - meant_ns)


def quality_facts(running: Running, canary: LoopCanary, *, dropped: int) -> dict[str, Any]:
    """The client's part of a session's measurement-quality block; times in ms."""
    rows = running.rows
    sent = rows["sent_ns"] != NEVER
    late = np.sort(rows["sent_ns"][sent] - running.scheduled_ns()[sent]) / 1e6
    back = rows["received_ns"] != NEVER
    stamps = rows["stamps"]
    return {
        "lateness_p50_ms": _rank(late, 0.5),
        "lateness_p99_ms": _rank(late, 0.99),
        "lateness_max_ms": _rank(late, 1.0),
        "stall_max_ms": canary.max_ns / 1e6,
        "client_socket_dropped": dropped,
        "stamps": {
            "sent": _source(stamps[sent], Stamp.SENT),
            "received": _source(stamps[back], Stamp.RECEIVED),
            "node_received": _source(stamps[back], Stamp.NODE_RECEIVED),
            "node_sent": _source(stamps[back], Stamp.NODE_SENT),
        },
    }


def _rank(ordered: np.ndarray[Any, np.dtype[np.float64]], share: float) -> float | None:
    if not len(ordered):
        return None
    return float(ordered[max(int(np.ceil(share * len(ordered))) - 1, 0)])


def _source(stamps: np.ndarray[Any, np.dtype[np.uint8]], bit: Stamp) -> str | None:
    if not len(stamps):
        return None
    kernel = (stamps & bit) != 0
    if kernel.all():
        return "kernel"
    return "mixed" if kernel.any() else "user"
