"""Made-up series: delays a packet in milliseconds, at a steady pace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from probe.analysis.series import Series, make_series
from probe.metrics import NEVER
from tests.analysis.made import MS, times


def trace(
    delays_ms: Sequence[float | None], interval_ms: float = 20, start_ns: int = 0, **more: Any
) -> Series:
    """Packets from number 0; None is lost."""
    n = len(delays_ms)
    sent = start_ns + np.round(np.arange(n) * interval_ms * MS).astype(np.int64)
    delays = times(delays_ms)
    received = np.where(delays == NEVER, NEVER, sent + delays)
    return make_series(np.arange(n), sent, received, **({"interval_ns": round(interval_ms * MS)} | more))
