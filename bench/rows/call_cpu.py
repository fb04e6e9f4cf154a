"""What a packet of a call costs the client: sent on time, and its reflection taken."""

from __future__ import annotations

import asyncio

from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.irtt_crowd import crowd_cpu_us_a_packet
from bench.limit_call import call_in_c
from bench.product import measured_calls

CALLS = 1000
CLIENTS = 40
"""Of irtt: few enough that each keeps its schedule; more would not make one cheaper."""
IRTT, C_CALL = "irtt client", "C call"
METRIC = "cpu_us_a_packet"


def comparison() -> Comparison:
    return Comparison(
        "call-cpu",
        "client CPU a call packet at 1,000 calls",
        {PROBE: probe, IRTT: irtt, C_CALL: c_call},
        (Goal("CPU a packet", METRIC, 1 / 15, IRTT, unit="us", limit_by=C_CALL),),
    )


def probe(effort: Effort) -> Sample:
    exchange = asyncio.run(measured_calls(CALLS, effort.seconds, pin=True))
    assert exchange.node
    return {
        METRIC: exchange.client.cpu_us_a_packet(exchange.rows),
        "node_cpu_us_a_packet": exchange.node.cpu_us_a_packet(exchange.rows),
        "self_inflicted": float(exchange.self_inflicted),
    }


def irtt(effort: Effort) -> Sample:
    return {METRIC: crowd_cpu_us_a_packet(CLIENTS, effort.seconds)}


def c_call(effort: Effort) -> Sample:
    return {METRIC: call_in_c(CALLS, effort.seconds, pin=True).cpu_us_a_packet}
