"""The round trip of one call by user-space stamps and plain sockets, as on any system, against irtt's."""

from __future__ import annotations

import asyncio

from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.product import measured_calls
from bench.quantiles import quantiles
from bench.rows.round_trip import INTERVAL_NS, IRTT, irtt
from probe.metrics import Stamp


def comparison() -> Comparison:
    return Comparison(
        "round-trip-user",
        "round trip by portable user stamps, one call",
        {PROBE: probe, IRTT: irtt},
        (Goal("p50", "p50_us", 1.0, IRTT, unit="us"), Goal("p99", "p99_us", 1.0, IRTT, unit="us")),
    )


def probe(effort: Effort) -> Sample:
    exchange = asyncio.run(measured_calls(1, effort.seconds, interval_ns=INTERVAL_NS, plain=True))
    return quantiles(exchange.round_trip_us(Stamp(0)), "us")
