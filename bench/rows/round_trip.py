"""The round trip of one call on loopback, by four kernel stamps, against irtt's.

Both subtract what the other end held the packet for. A packet every 4 ms, so that the rare ones show.
"""

from __future__ import annotations

import asyncio

from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.irtt import irtt_client, irtt_server, round_trips_us
from bench.limit_call import call_in_c
from bench.product import measured_calls
from bench.quantiles import quantiles
from bench.session import PACKET_BYTES
from probe.metrics import Stamp

INTERVAL_NS, INTERVAL = 4_000_000, "4ms"
IRTT, C_CALL = "irtt", "C call"
ALL_STAMPS = Stamp.SENT | Stamp.NODE_RECEIVED | Stamp.NODE_SENT | Stamp.RECEIVED
STAMPED = "four_stamps_share"


def comparison() -> Comparison:
    return Comparison(
        "round-trip",
        "round trip by four kernel stamps, one call",
        {PROBE: probe, IRTT: irtt, C_CALL: c_call},
        (
            Goal("p50", "p50_us", 1 / 30, IRTT, unit="us", limit_by=C_CALL),
            Goal("p99", "p99_us", 1 / 30, IRTT, unit="us", limit_by=C_CALL),
            Goal("p99.9", "p99_9_us", 1 / 200, IRTT, unit="us", limit_by=C_CALL),
            Goal("packets with four kernel stamps", STAMPED, 0.99, least=True),
        ),
    )


def probe(effort: Effort) -> Sample:
    """Only packets of which all four times are the kernel's, and how many of all they are."""
    exchange = asyncio.run(measured_calls(1, effort.seconds, interval_ns=INTERVAL_NS))
    trips = exchange.round_trip_us(ALL_STAMPS)
    lost = {"self_inflicted": float(exchange.self_inflicted)}
    return quantiles(trips, "us") | {STAMPED: len(trips) / len(exchange.rows)} | lost


def irtt(effort: Effort) -> Sample:
    with irtt_server() as (_, address):
        result = irtt_client(address, interval=INTERVAL, seconds=effort.seconds, packet_bytes=PACKET_BYTES)
    return quantiles(round_trips_us(result), "us")


def c_call(effort: Effort) -> Sample:
    return quantiles(call_in_c(1, effort.seconds, interval_ns=INTERVAL_NS).round_trip_us, "us")
