"""A loss model fitted to an observed sequence, so that a measured network can be saved and replayed.

Two states with chances per packet to turn bad (p) and good again (r). Gilbert's simple model loses all
packets in the bad state, Elliott's a share of them: it fits bursts that are not solid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from probe.analysis.loss_pattern import loss_pattern
from probe.analysis.one_way import Mask
from probe.impairment.profile import Loss

LAGS = 20
"""Autocovariances the decay is taken from; more are mostly noise."""


@dataclass(frozen=True, slots=True)
class Gilbert:
    """`bad_loss` is the share lost in the bad state (1 - h of netem's `gemodel`); none in the good."""

    p: float
    r: float
    bad_loss: float = 1.0

    @property
    def loss_ratio(self) -> float:
        return self.bad_loss * self.p / (self.p + self.r)

    @property
    def burst(self) -> float:
        """Mean number of packets lost in a row: a loss is followed by another if still bad, and lost."""
        return 1 / (1 - (1 - self.r) * self.bad_loss)

    @property
    def burst_ratio(self) -> float:
        """G.107's BurstR, against independent losses; 1 / (p + r) where the bad state loses all."""
        return self.burst * (1 - self.loss_ratio)


def fit_losses(streams: Sequence[Mask]) -> Loss:
    """Mean loss and mean burst as observed in all streams together, as network profiles take them.

    Losses no more in a row than independent ones would be are independent. That is also what maximum
    likelihood gives for the simple model, but for the run at the end. ValueError of nothing.
    """
    packets = sum(map(len, streams))
    if packets == 0:
        raise ValueError("no packet to fit a loss model to")
    patterns = [loss_pattern(lost) for lost in streams]
    lost, runs = sum(len(pattern.lost) for pattern in patterns), sum(pattern.count for pattern in patterns)
    ratio = lost / packets
    # Independent losses come 1 / (1 - ratio) in a row.
    if lost in (0, packets) or lost * (packets - lost) <= runs * packets:
        return Loss(ratio)
    return Loss(ratio, lost / runs)


def fit_loss(lost: Mask) -> Loss:
    """As `fit_losses`, of one stream."""
    return fit_losses([lost])


def fit_gilbert(lost: Mask) -> Gilbert | None:
    """The simple model by counted transitions (maximum likelihood); None unless both states were left."""
    before, after = lost[:-1], lost[1:]
    bad = int(np.count_nonzero(before))
    turned_bad = int(np.count_nonzero(after & ~before))
    turned_good = int(np.count_nonzero(before & ~after))
    if not turned_bad or not turned_good:
        return None
    return Gilbert(turned_bad / (len(before) - bad), turned_good / bad)


def fit_elliott(lost: Mask) -> Gilbert | None:
    """Elliott's model by moments: loss, autocovariance of a step, and its decay over `LAGS` steps.

    The autocovariance at lag m is L^2 B (1 - B) w^m with the share B of time in the bad state, the loss L
    there and w = 1 - p - r. None where losses are not correlated, or the simple model fits as well (L
    reaches 1).
    """
    n = len(lost)
    if n <= LAGS + 1 or not lost.any():
        return None
    ratio = np.count_nonzero(lost) / n
    joint = [np.count_nonzero(lost[lag:] & lost[:-lag]) / (n - lag) for lag in range(1, LAGS + 2)]
    covariance = np.array(joint) - ratio**2
    noise = 2 * ratio * (1 - ratio) / np.sqrt(n)
    above = np.flatnonzero(covariance < noise)
    use = int(above[0]) if len(above) else LAGS + 1
    if use < 2:
        return None
    decay = float(covariance[1:use].sum() / covariance[: use - 1].sum())
    bad_loss = ratio + float(covariance[0]) / (ratio * decay)
    if not 0 < decay < 1 or bad_loss >= 1:
        return None
    bad = ratio / bad_loss
    return Gilbert(bad * (1 - decay), (1 - bad) * (1 - decay), bad_loss)
