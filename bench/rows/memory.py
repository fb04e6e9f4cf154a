"""Memory that a packet costs while a session runs: a long session against a short one, in fresh processes.

Resident memory, our own and what is shared with the parent; and what grows while packets are sent, which a
preallocated session does not.
"""

from __future__ import annotations

import asyncio

from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.product import measured_calls
from bench.session import Exchange, Usage

CALLS = 1000
SHORT, LONG = 0.5, 1.5
"""Lengths of the two sessions, in the measurement's seconds."""


def comparison() -> Comparison:
    return Comparison(
        "memory",
        "memory a packet while running, 1,000 calls",
        {PROBE: probe},
        (
            Goal("client", "client_bytes", 64.0, unit="B"),
            Goal("node", "node_bytes", 64.0, unit="B"),
            Goal("client, growth while sending", "client_growth_bytes", 1.0, unit="B"),
        ),
    )


def probe(effort: Effort) -> Sample:
    short, long = (asyncio.run(measured_calls(CALLS, effort.seconds * share)) for share in (SHORT, LONG))
    more = len(long.rows) - len(short.rows)
    return {
        "client_bytes": (_bytes(long.client) - _bytes(short.client)) / more,
        "node_bytes": (_bytes(_node(long)) - _bytes(_node(short))) / more,
        "client_growth_bytes": long.client.anonymous_growth / long.client.packets(long.rows),
        "node_growth_bytes": _node(long).anonymous_growth / long.client.packets(long.rows),
    }


def _node(exchange: Exchange) -> Usage:
    assert exchange.node
    return exchange.node


def _bytes(use: Usage) -> int:
    return use.anonymous_bytes + use.shared_bytes
