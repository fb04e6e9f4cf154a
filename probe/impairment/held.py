"""A link's counters held against its profile: did what was set take place?"""

from __future__ import annotations

from math import isinf, sqrt

from probe.impairment.advice import effective_ratio
from probe.impairment.counters import LinkCounters
from probe.impairment.losses import GilbertElliott, Loss, LossProcess
from probe.impairment.profile import Impairment

SIGMAS = 4.0
FEWEST_LOSSES = 10
"""With fewer to be expected the band is none: their number is not yet near a normal distribution."""
_NO_CHANCE = 0.5  # of a packet: where nothing is to be lost, one is too many


def expected_loss(impairment: Impairment) -> float | None:
    """The mean loss ratio of a direction; None where a queue, an outage or the time has a say in it."""
    if impairment.timeline is not None or any(outage.kind == "drop" for outage in impairment.outages):
        return None
    if (
        impairment.queue_ns is not None
        or impairment.limit_packets is not None
        or impairment.duplicate is not None
    ):
        return None
    loss = impairment.loss
    if loss is None:
        return 0.0
    return effective_ratio(loss.ratio, loss.correlation) if isinstance(loss, Loss) else loss.ratio


def loss_band(loss: LossProcess | None, packets: int) -> float:
    """How far the loss ratio of so many packets may be from its mean by chance."""
    if loss is None or not packets:
        return 0.0
    ratio = loss.ratio
    if isinstance(loss, GilbertElliott):
        inflation = max(1.0, loss.inflation)
    else:
        # Runs of k losses count like one event of weight k.
        burst = loss.mean_burst
        inflation = 1.0 if isinf(burst) else max(1.0, 2 * burst - 1)
    return SIGMAS * sqrt(max(0.0, ratio * (1 - ratio)) * inflation / packets) + 1 / packets


def excess(impairment: Impairment, counters: LinkCounters) -> float | None:
    """How far the loss ratio is from what is set, in units of `loss_band`: up to 1 is chance; None: not to be told."""
    expected = expected_loss(impairment)
    if expected is None or not counters.offered or 0 < expected * counters.offered < FEWEST_LOSSES:
        return None
    off = abs(counters.lost / counters.offered - expected)
    return off / (loss_band(impairment.loss, counters.offered) or _NO_CHANCE / counters.offered)


def deviation(impairment: Impairment, counters: LinkCounters) -> str | None:
    """One sentence if fewer or more packets were lost than chance explains; None: as set, or not to be told."""
    beyond, expected = excess(impairment, counters), expected_loss(impairment)
    if beyond is None or expected is None or beyond <= 1:
        return None
    band = loss_band(impairment.loss, counters.offered)
    return (
        f"{100 * counters.lost / counters.offered:.2f} % of {counters.offered} packets were lost, set are "
        f"{100 * expected:.2f} % +- {100 * band:.2f}"
    )
