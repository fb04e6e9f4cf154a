"""How far the values of one series may lie from those of the path at that time: intervals of loss, residual and PDV.

Packets of a second are alike: intervals come from how blocks of a second differ. Another hour may differ by more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from probe.analysis.dependence import RunInterval, loss_interval, percentile_intervals
from probe.analysis.intervals import CONFIDENCE
from probe.analysis.one_way import Mask
from probe.analysis.population import PER_MILLE
from probe.analysis.series import Series
from probe.metrics import Times
from probe.records import Json

PERCENTILES = ("p50", "p95", "p99")
MOST_BLOCKS = 1000
"""Of long series the blocks are longer."""
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StreamIntervals:
    """`residual` is at the deadline; `pdv` in ns by percentile, None where nothing arrived."""

    block: int
    blocks: int
    loss: RunInterval
    residual: RunInterval
    pdv: Mapping[str, RunInterval] | None

    def to_json(self) -> Json:
        pdv = self.pdv or {}
        return {
            "confidence": CONFIDENCE,
            "block_packets": self.block,
            "blocks": self.blocks,
            "loss_ratio": _interval(self.loss),
            "residual_ratio": _interval(self.residual),
            "pdv_ms": {name: _interval(found, 1e6) for name, found in pdv.items()} or None,
        }


def _interval(found: RunInterval, unit: float = 1.0) -> Json:
    ends = {"low": found.low, "high": found.high}
    document: Json = {name: None if math.isinf(end) else end / unit for name, end in ends.items()}
    return document | {
        "n_eff": found.n_eff,
        "infinite": [name for name, end in ends.items() if math.isinf(end)],
    }


def stream_intervals(series: Series, bad: Mask, ordered_pdv: Times) -> StreamIntervals | None:
    """`ordered_pdv` are the delays above the smallest of what arrived, ascending. None of a few seconds."""
    n = len(bad)
    a_second = round(SECOND_NS / series.interval_ns) if series.interval_ns else n
    block = max(1, a_second, -(-n // MOST_BLOCKS))
    loss, residual = loss_interval(series.lost, block), loss_interval(bad, block)
    if loss is None or residual is None:
        return None
    levels = [PER_MILLE[name] for name in PERCENTILES]
    found = percentile_intervals(series.excess(), ordered_pdv, levels, block)
    pdv = None if found is None else dict(zip(PERCENTILES, found, strict=True))
    return StreamIntervals(block, -(-n // block), loss, residual, pdv)
