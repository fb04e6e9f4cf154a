"""Known impairments in, measured values out: the relay and this machine's sockets held against the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from probe.impairment.chain import Path
from probe.impairment.compare import SIGMAS
from probe.impairment.link import DROPPED
from probe.impairment.nominal import nominal
from probe.impairment.observed import Figure, Observation, figures, sending_times
from probe.impairment.passage import Passage
from probe.impairment.profile import Impairment
from probe.impairment.trials import TRIALS, Trial
from probe.net.numbered import Arrivals, exchange, hello
from probe.net.relay import Relay
from probe.net.udp import UdpSocket, open_udp

MOST_ADDED_MS = {"p50": 0.5, "p99": 2.0}
"""What relay, sockets and scheduling may add to a delay; above it a call's own delays are not measured well."""
TIMING_MS = 1.0
"""What timing may move a mean by, beside chance."""
TIMING_PERCENT = 1.0
TAIL_NS = 150_000_000
ATTEMPTS = 2
HELLO_S = 5.0
MACHINE = "this machine"

Values: TypeAlias = NDArray[Any]

Progress = Callable[[int, int, str], None]
"""Of trials done, trials in all, and the one that begins."""


@dataclass(frozen=True, slots=True)
class Check:
    """A row: `set` is the closed form, or (not `closed`) the model's value for the same packets. `attempt` 2 is a
    trial that was made again."""

    trial: str
    parameter: str
    set: float
    measured: float
    tolerance: float
    n: int
    closed: bool = True
    attempt: int = 1

    @property
    def inside(self) -> bool:
        """Whether the two differ by no more than the tolerance."""
        return abs(self.measured - self.set) <= self.tolerance


async def selftest(seed: int, progress: Progress) -> list[Check]:
    """All trials, one after the other, some thirty seconds. Raises NotMeasured when there is no loopback to use.

    What timing alone can spoil is tried twice.
    """
    checks: list[Check] = []
    added: list[Values] = []
    with ExitStack() as stack:
        node = stack.enter_context(closing(open_udp(bind=("127.0.0.1", 0))))
        async with Relay.start(node.local(), Impairment(), Impairment(), seed) as relay:
            bench = _Bench(relay, stack.enter_context(closing(open_udp(peer=relay.address))), node)
            await asyncio.to_thread(bench.meet)
            for number, trial in enumerate(TRIALS):
                progress(number, len(TRIALS), trial.case.name)
                for attempt in range(1, ATTEMPTS + 1):
                    found, late = await bench.measure(trial, seed + 1000 * attempt + number, attempt)
                    if all(check.inside for check in found) or attempt == ATTEMPTS:
                        checks += found
                        added.append(late)
                        break
    return [*checks, *_machine(np.concatenate(added))]


def _machine(added_ms: Values) -> Iterator[Check]:
    for name, most in MOST_ADDED_MS.items():
        value = float(np.quantile(added_ms, float(name[1:]) / 100))
        yield Check(MACHINE, f"added delay ms, {name}", 0.0, value, most, len(added_ms))


class _Bench:
    """A relay between two sockets of ours."""

    def __init__(self, relay: Relay, client: UdpSocket, node: UdpSocket) -> None:
        self._relay, self._client, self._node = relay, client, node
        self._upstream = b""

    def meet(self) -> None:
        """Learn under which address the relay forwards."""
        self._upstream = hello(self._client, self._node, HELLO_S)

    async def measure(self, trial: Trial, seed: int, attempt: int) -> tuple[list[Check], Values]:
        """The rows of one trial, and by how much each delay was longer than the model's, ms."""
        case, clean = trial.case, Impairment()
        up, down = (case.impairment, clean) if trial.way == "up" else (clean, case.impairment)
        await self._relay.configure(up, down, seed)
        due_ns = sending_times(case.traffic)
        if trial.way == "up":
            ends, to = (self._client, self._node), None
        else:
            ends, to = (self._node, self._client), self._upstream
        tail_ns = TAIL_NS + 2 * case.impairment.delay_ns + 4 * case.impairment.jitter_ns + 300_000_000
        seen = await asyncio.to_thread(exchange, *ends, due_ns, case.traffic.size, tail_ns, to)
        path = Path.of([up], [down], seed)
        chain = path.up if trial.way == "up" else path.down
        model = chain.push(seen.sent_ns, np.full(len(seen.sent_ns), case.traffic.size))
        return list(_checks(trial, seen, model, attempt)), _added_ms(seen, model)


def _checks(trial: Trial, seen: Arrivals, model: Passage, attempt: int) -> Iterator[Check]:
    case, packets = trial.case, len(seen.sent_ns)
    theirs = _observed(trial, seen.sent_ns, seen.sequence, seen.arrived_ns)
    order = np.argsort(model.release_ns, kind="stable")
    mine = _observed(trial, seen.sent_ns, model.row[order], model.release_ns[order])
    measured, expected = figures(case, theirs), figures(case, mine)
    for name in trial.figures:
        closed = nominal(case, name)
        wanted = expected[name].value if closed is None else closed
        tolerance = _tolerance(name, measured[name], by_chance=closed is not None)
        yield Check(
            case.name, name, wanted, measured[name].value, tolerance, packets, closed is not None, attempt
        )
    if case.impairment.corrupt is not None:
        yield _damage(trial, seen, attempt)
    if case.impairment.rate_bps is not None:
        yield _rate(trial, seen, case.impairment.rate_bps, attempt)
    if case.kind == "count":
        different = int(np.count_nonzero(theirs.copies != mine.copies))
        yield Check(case.name, "fates other than drawn", 0, different, 0, packets, attempt=attempt)


def _observed(trial: Trial, sent_ns: Values, sequence: Values, arrived_ns: Values) -> Observation:
    delay_ns, overtook = arrived_ns - sent_ns[sequence], None
    if trial.case.impairment.reorder is not None:
        overtook = np.zeros(len(sent_ns), np.bool_)
        overtook[sequence[delay_ns < trial.case.impairment.delay_ns // 2]] = True
    copies = np.bincount(sequence, minlength=len(sent_ns)).astype(np.uint8)
    return Observation(len(sent_ns), copies, sequence, delay_ns, overtook)


def _tolerance(name: str, figure: Figure, *, by_chance: bool) -> float:
    chance = SIGMAS * figure.error if by_chance and isfinite(figure.error) else 0.0
    if name.endswith(" ms"):
        return chance + TIMING_MS
    return chance + (
        TIMING_PERCENT if name in ("reordered %", "overtook %", "loss %") and not by_chance else 0
    )


def _damage(trial: Trial, seen: Arrivals, attempt: int) -> Check:
    """One flipped bit in the payload of each damaged packet."""
    chance = trial.case.impairment.corrupt
    assert chance is not None
    n, ratio = len(seen.flips), chance.ratio
    hit = float((seen.flips == 1).mean()) if n else 0.0
    tolerance = 100 * SIGMAS * sqrt(ratio * (1 - ratio) / max(n, 1))
    return Check(trial.case.name, "one bit flipped %", 100 * ratio, 100 * hit, tolerance, n, attempt=attempt)


def _rate(trial: Trial, seen: Arrivals, rate_bps: int, attempt: int) -> Check:
    """Of a line that never rests: from the first departure to the last."""
    arrived = seen.arrived_ns
    bits = (trial.case.traffic.size + trial.case.impairment.overhead_bytes) * 8
    span_ns = int(arrived[-1] - arrived[0]) if len(arrived) > 1 else 0
    measured = bits * (len(arrived) - 1) * 1e9 / span_ns if span_ns else 0.0
    wanted = rate_bps / 1000
    return Check(
        trial.case.name, "rate kbit/s", wanted, measured / 1000, 0.01 * wanted, len(arrived), attempt=attempt
    )


def _added_ms(seen: Arrivals, model: Passage) -> Values:
    """Measured less the model's delay, of packets that came once in both."""
    packets = len(seen.sent_ns)
    once = np.bincount(seen.sequence, minlength=packets) == 1
    once &= np.bincount(model.row, minlength=packets) == 1
    release = model.first(packets)
    once &= release != DROPPED
    mine = once[seen.sequence]
    added: Values = (seen.arrived_ns[mine] - release[seen.sequence[mine]]) / 1e6
    return added
