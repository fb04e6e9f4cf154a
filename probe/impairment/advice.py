"""What netem does with a setting that its author did not mean: sentences for the author, no refusals."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from probe.impairment.delay import evenly_drawn
from probe.impairment.link import DROPPED, Link
from probe.impairment.profile import Chance, Impairment, Loss, Reorder

_GRID = 4000
VOICE_PPS = 50
MOVED = 1.2
"""A mean delay that is more than this many times what was asked for is told."""


@cache
def effective_ratio(ratio: float, correlation: float) -> float:
    """The share of packets that netem's `P CORR` really hits.

    Its correlated number X = (1 - c) U + c X' is not uniform: it crowds around one half, and a threshold of 10 %
    is a tail event. The distribution of X is the fixed point of that equation.
    """
    if not correlation or ratio in (0.0, 1.0):
        return ratio
    if correlation == 1.0:
        return float(ratio >= 0.5)
    keep = correlation
    at = np.linspace(0.0, 1.0, _GRID + 1)
    known = at.copy()  # the distribution function of X', to begin with uniform
    for _ in range(int(20 / (1 - keep)) + 20):
        # P(X <= x) = E[P(X' <= (x - (1-c) U) / c)]: the mean of the known function over a window.
        area = np.concatenate([[0.0], np.cumsum((known[1:] + known[:-1]) / 2)]) / _GRID

        def integral(y: np.ndarray, area: np.ndarray = area) -> np.ndarray:
            inside = np.interp(np.clip(y, 0, 1), at, area)
            return np.asarray(inside + np.maximum(y - 1, 0))

        high, low = at / keep, (at - (1 - keep)) / keep
        following = (integral(high) - integral(low)) * keep / (1 - keep)
        done = np.abs(following - known).max() < 1e-12
        known = following
        if done:
            break
    return float(np.interp(ratio, at, known))


def reordered_share(impairment: Impairment, pps: int = VOICE_PPS) -> float:
    """The share of a stream's packets that arrive after a later one (RFC 4737), over 2000 packets."""
    arrival = np.arange(2000, dtype=np.int64) * (1_000_000_000 // pps)
    release = Link(impairment, 0).push(arrival, np.full(2000, 172)).first(2000)
    order = np.argsort(release[release != DROPPED], kind="stable")
    return float((order < np.maximum.accumulate(order)).mean()) if len(order) else 0.0


def advice(impairment: Impairment) -> Iterator[str]:
    """One sentence for each setting that does something else than it says."""
    loss = impairment.loss
    if isinstance(loss, Loss) and loss.correlation:
        effective = effective_ratio(loss.ratio, loss.correlation)
        yield (
            f"`loss {_percent(loss.ratio)} {_percent(loss.correlation)}` loses {100 * effective:.2g} %, not "
            f"{100 * loss.ratio:g} %: use loss with ratio and burst"
        )
    for name, chance in (
        ("duplicate", impairment.duplicate),
        ("corrupt", impairment.corrupt),
        ("reorder", impairment.reorder),
    ):
        if chance is not None and chance.correlation:
            yield _of_chance(name, chance)
    if impairment.delay_correlation:
        yield (
            "netem's correlation of delays has no effect, in the kernel or here: use jitter_correlation for jitter "
            "that moves slowly"
        )
    yield from _of_jitter(impairment)
    yield from _of_order(impairment)
    yield from _of_queue(impairment)
    yield from _of_limit(impairment)
    if impairment.timeline is not None:
        for step in impairment.timeline.steps:
            yield from advice(step.impairment)


def _of_chance(name: str, chance: Chance | Reorder) -> str:
    effective = effective_ratio(chance.ratio, chance.correlation)
    return (
        f"`{name} {_percent(chance.ratio)} {_percent(chance.correlation)}` hits {100 * effective:.2g} % of the "
        f"packets, not {100 * chance.ratio:g} %: leave the correlation out"
    )


def _of_order(impairment: Impairment) -> Iterator[str]:
    if not impairment.ordered and impairment.jitter_ns:
        share = reordered_share(impairment)
        yield (
            f"jitter with `ordered: false` reorders {100 * share:.2g} % of a stream of {VOICE_PPS} packets/s, which "
            "access links do not: leave it out unless reordering is what you test"
        )
    if impairment.reorder is not None and not impairment.rate_bps and impairment.timeline is None:
        spacing_ms = 1000 / VOICE_PPS
        if impairment.delay_ns < spacing_ms * 1e6:
            yield (
                f"a delay of {impairment.delay_ns / 1e6:g} ms is shorter than the {spacing_ms:g} ms between packets of "
                "a voice stream: nothing waits that could be overtaken"
            )


def _of_jitter(impairment: Impairment) -> Iterator[str]:
    """A draw below zero is no delay at all, and takes the mean with it."""
    if not impairment.jitter_ns:
        return
    drawn = evenly_drawn(impairment.delay_ns, impairment.jitter_ns, impairment.distribution)
    mean_ns = float(np.maximum(drawn, 0).mean())
    if mean_ns > MOVED * impairment.delay_ns:
        yield (
            f"`delay {impairment.delay_ns / 1e6:g}ms {impairment.jitter_ns / 1e6:g}ms` lets "
            f"{100 * float((drawn <= 0).mean()):.0f} % of the packets pass at once and delays by "
            f"{mean_ns / 1e6:.3g} ms on average: give a delay of the size of the jitter"
        )


def _of_queue(impairment: Impairment) -> Iterator[str]:
    bounded = impairment.queue_ns is not None or impairment.limit_packets is not None
    if impairment.rate_bps is not None and not bounded:
        yield (
            f"nothing bounds the queue in front of {impairment.rate_bps / 1e6:g} Mbit/s: a stream above that waits ever "
            "longer; give a queue, such as 300ms"
        )


def _of_limit(impairment: Impairment) -> Iterator[str]:
    limit = impairment.limit_packets
    if limit is None or not impairment.delay_ns:
        return
    pps = limit * 1e9 / impairment.delay_ns
    if pps < 1000:
        yield (
            f"limit counts the packets in the delay too: {limit} packets in {impairment.delay_ns / 1e6:g} ms lose all "
            f"above {pps:.0f} packets/s"
        )


def _percent(ratio: float) -> str:
    return f"{100 * ratio:g}%"
