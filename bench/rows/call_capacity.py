"""How many calls at once one client process and one node process carry, against as many irtt clients.

Client and node have a CPU each, and irtt's clients and server too. A number passes when 99 % of the packets are
less than 1 ms off their due time and none is unsent or lost: ours by the kernel's stamp at the node, irtt's by its own
send times. A number that fails is tried once more. Because irtt slips off its schedule soon, the table's JSON also says how
many clients it carries when less is asked: no loss and 99 % of what was due sent, however late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.irtt_crowd import crowd
from bench.product import measured_calls
from bench.quantiles import quantiles

STEPS = (250, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000, 6000, 7000, 8000, 10_000, 12_000)
IRTT_STEPS = (1, 2, 5, 10, 15, 20, 25, 50, 75, 100, 150, 200, 300, 400, 500, 600)
MAX_LATENESS_US = 1000.0
MIN_SENT_SHARE = 0.99
IRTT, IRTT_AT_ANY_TIME = "irtt clients", "irtt clients, however late"
METRIC = "calls"

Trial = Callable[[int, Effort], bool]


def comparison() -> Comparison:
    return Comparison(
        "call-capacity",
        "concurrent calls, p99 lateness < 1 ms, no self-inflicted loss",
        {
            PROBE: Search(STEPS, probe_carries, 3000),
            IRTT: Search(IRTT_STEPS, irtt_carries, 10),
            IRTT_AT_ANY_TIME: Search(IRTT_STEPS, irtt_carries_at_any_time, 300),
        },
        (Goal("calls", METRIC, 3000, least=True), Goal("calls", METRIC, 20.0, IRTT, least=True)),
    )


class Search:
    """The largest of `steps` that `carries`; the next search begins where the last one ended."""

    def __init__(self, steps: tuple[int, ...], carries: Trial, first: int) -> None:
        self._steps, self._carries = steps, carries
        self._at = steps.index(first)

    def __call__(self, effort: Effort) -> Sample:
        at = self._at
        if self._tried(at, effort):
            while at + 1 < len(self._steps) and self._tried(at + 1, effort):
                at += 1
        else:
            at -= 1
            while at >= 0 and not self._tried(at, effort):
                at -= 1
        self._at = max(at, 0)
        return {METRIC: float(self._steps[at]) if at >= 0 else 0.0}

    def _tried(self, at: int, effort: Effort) -> bool:
        return any(self._carries(self._steps[at], effort) for _ in range(2))


def probe_carries(calls: int, effort: Effort) -> bool:
    exchange = asyncio.run(measured_calls(calls, effort.seconds, pin=True))
    late = quantiles(exchange.lateness_us(), "us").get("p99_us", MAX_LATENESS_US)
    return late < MAX_LATENESS_US and not exchange.self_inflicted


def irtt_carries(clients: int, effort: Effort) -> bool:
    sample = crowd(clients, effort.seconds)
    late = sample["lateness_p99_ms"] * 1e3
    return not sample["lost"] and sample["sent_share"] == 1 and late < MAX_LATENESS_US


def irtt_carries_at_any_time(clients: int, effort: Effort) -> bool:
    sample = crowd(clients, effort.seconds)
    return not sample["lost"] and sample["sent_share"] >= MIN_SENT_SHARE
