"""Which packets are lost: netem's `loss random` and `loss gemodel`, by packet number."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from probe.impairment.draws import BLOCK, LOSS, Draws, Seed, threshold
from probe.impairment.profile import Loss

Flags = NDArray[np.bool_]


class LossModel(Protocol):
    """A source of fates, a block of packets at a time."""

    def block(self) -> Flags:
        """Which of the next `BLOCK` packets are lost."""


class NoLoss:
    """Every packet gets through."""

    def block(self) -> Flags:
        return np.zeros(BLOCK, np.bool_)


class RandomLoss:
    """Each packet is lost with the same probability, independently of the others."""

    def __init__(self, ratio: float, seed: Seed) -> None:
        self._draws = Draws(seed, LOSS)
        self._threshold = threshold(ratio)

    def block(self) -> Flags:
        return self._draws.block() <= self._threshold


class GilbertLoss:
    """Runs of losses: a good state that loses nothing and a bad one that loses everything.

    As in netem the state *before* the transition decides about a packet, and the first packet finds
    the good state. `turns_bad` and `turns_good` are the chances to change state after each packet.
    """

    def __init__(self, turns_bad: float, turns_good: float, seed: Seed) -> None:
        self._draws = Draws(seed, LOSS)
        self._turns_bad = threshold(turns_bad)
        self._turns_good = threshold(turns_good)
        self._bad = False

    def block(self) -> Flags:
        draw = self._draws.block()
        worsens, improves = draw <= self._turns_bad, draw <= self._turns_good
        # A draw either fixes the next state whatever the present one (only one of the two changes is
        # possible), or swaps the states, or keeps them.  So a state is what the last fixing draw set,
        # swapped as often as swaps came since; that is two running sums instead of a loop.
        fixes, swaps = worsens != improves, np.cumsum(worsens & improves)
        last = np.maximum.accumulate(np.where(fixes, np.arange(BLOCK), -1))
        since: NDArray[np.int64] = swaps - np.where(last >= 0, swaps[last], 0)
        after = np.where(last >= 0, worsens[last], self._bad) ^ (since % 2 == 1)
        before = np.empty(BLOCK, np.bool_)
        before[0], before[1:] = self._bad, after[:-1]
        self._bad = bool(after[-1])
        return before


def loss_model(loss: Loss | None, seed: Seed) -> LossModel:
    """The process that `loss` describes."""
    if loss is None or loss.ratio == 0.0:
        return NoLoss()
    if loss.burst is None:
        return RandomLoss(loss.ratio, seed)
    return GilbertLoss(*loss.gilbert, seed)
