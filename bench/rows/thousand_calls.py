"""A thousand calls at once, there and back: how far from its due time each packet reaches the node's kernel."""

from __future__ import annotations

import asyncio

from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.product import measured_calls
from bench.quantiles import quantiles

CALLS = 1000


def comparison() -> Comparison:
    return Comparison(
        "thousand-calls",
        "1,000 calls (50 kpps), unprivileged: lateness",
        {PROBE: probe},
        (
            Goal("p99", "p99_us", 500.0, unit="us"),
            Goal("unsent or lost", "self_inflicted", 0.0),
        ),
    )


def probe(effort: Effort) -> Sample:
    exchange = asyncio.run(measured_calls(CALLS, effort.seconds))
    return quantiles(exchange.lateness_us(), "us") | {
        "self_inflicted": float(exchange.self_inflicted),
        "client_cpu_us_a_packet": exchange.client.cpu_us_a_packet(exchange.rows),
        "node_cpu_us_a_packet": exchange.node.cpu_us_a_packet(exchange.rows) if exchange.node else 0.0,
    }
