"""Which packets are lost: netem's `loss random`, `gemodel` and `state`, by packet number.

A packet that is duplicated meets the model twice: the original first, then, if it got through, its copy with
draws of its own. Chains with a memory are therefore stepped once more by a copy, as in the kernel.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from probe.impairment.draws import BLOCK, COPY, LOSS, STATE_LOSS, Correlated, Draws, Seed, threshold
from probe.impairment.losses import FourState, GilbertElliott, Loss, LossProcess
from probe.impairment.states import maps_of, walk

Flags = NDArray[np.bool_]


class Losses(NamedTuple):
    """Of a block of packets: which originals are lost, and which copies (where there is one to lose)."""

    original: Flags
    copy: Flags


class LossModel(Protocol):
    """A source of fates, a block of packets at a time."""

    def block(self, doubled: Flags | None = None) -> Losses:
        """Which of the next `BLOCK` packets are lost, and which of the copies of those `doubled`."""


_NONE = np.zeros(BLOCK, np.bool_)


class NoLoss:
    """Every packet gets through."""

    def block(self, doubled: Flags | None = None) -> Losses:
        return Losses(_NONE, _NONE)


class RandomLoss:
    """Each packet is lost with the same probability, independently of the others."""

    def __init__(self, ratio: float, seed: Seed) -> None:
        self._draws, self._copies = Draws(seed, LOSS), Draws(seed, LOSS + COPY)
        self._threshold = threshold(ratio)

    def block(self, doubled: Flags | None = None) -> Losses:
        lost = self._draws.block() <= self._threshold
        return Losses(lost, _NONE if doubled is None else self._copies.block() <= self._threshold)


class CorrelatedLoss:
    """netem's `loss P CORR`, whose mean is not P."""

    def __init__(self, ratio: float, correlation: float, seed: Seed) -> None:
        self._draws, self._copies = Draws(seed, LOSS), Draws(seed, LOSS + COPY)
        self._correlated = Correlated(correlation, seed, LOSS)
        self._threshold = threshold(ratio)

    def block(self, doubled: Flags | None = None) -> Losses:
        draw = self._draws.block()
        if doubled is None:
            return Losses(self._correlated.of(draw) <= self._threshold, _NONE)
        # Only a copy of a packet that got through draws, and what it draws stays in the memory.
        lost, copy = np.zeros(BLOCK, np.bool_), np.zeros(BLOCK, np.bool_)
        copies, following, limit = self._copies.block().tolist(), self._correlated.next, self._threshold
        for row, (first, twice) in enumerate(zip(draw.tolist(), doubled.tolist(), strict=True)):
            lost[row] = gone = following(first) <= limit
            if twice and not gone:
                copy[row] = following(copies[row]) <= limit
        return Losses(lost, copy)


class _Chances(NamedTuple):
    """What a block of draws would do in each state: (n, states) next state, and whether it loses."""

    following: NDArray[np.uint8]
    lost: Flags


class _Chain:
    """A Markov chain whose states are small numbers; the first packet finds state 0."""

    _state = 0

    def _chances(self, purpose_offset: int) -> _Chances:
        raise AssertionError

    def block(self, doubled: Flags | None = None) -> Losses:
        first = self._chances(0)
        rows = np.arange(BLOCK)
        if doubled is None:
            before, self._state = walk(maps_of(first.following), self._state)
            return Losses(first.lost[rows, before], _NONE)
        again = self._chances(COPY)
        # The copy, if there is one, starts from where the original left the chain.
        copied = doubled[:, None] & ~first.lost
        second = np.take_along_axis(again.following, first.following, 1)
        before, self._state = walk(maps_of(np.where(copied, second, first.following)), self._state)
        between = first.following[rows, before]
        return Losses(first.lost[rows, before], again.lost[rows, between] & copied[rows, before])


class ElliottLoss(_Chain):
    """Two states, good and bad: the state *before* the transition decides about a packet."""

    def __init__(self, model: GilbertElliott, seed: Seed) -> None:
        self._change = {offset: Draws(seed, LOSS + offset) for offset in (0, COPY)}
        self._fate = {offset: Draws(seed, STATE_LOSS + offset) for offset in (0, COPY)}
        self._worsens, self._improves = threshold(model.p), threshold(model.r)
        self._lost = np.array([threshold(model.good_loss), threshold(model.bad_loss)])
        self._certain = {model.good_loss, model.bad_loss} <= {0.0, 1.0}

    def _chances(self, purpose_offset: int) -> _Chances:
        change = self._change[purpose_offset].block()
        following = np.stack([change <= self._worsens, change > self._improves], 1).astype(np.uint8)
        if self._certain:
            return _Chances(following, np.broadcast_to(self._lost > 0, (BLOCK, 2)))
        return _Chances(following, self._fate[purpose_offset].block()[:, None] <= self._lost)


class FourStateLoss(_Chain):
    """Four states, here 0 to 3 for netem's 1 to 4: the *new* state decides about a packet."""

    def __init__(self, model: FourState, seed: Seed) -> None:
        self._draws = {offset: Draws(seed, LOSS + offset) for offset in (0, COPY)}
        self._isolated, self._begins = threshold(model.p14), threshold(model.p14 + model.p13)
        self._resumes = threshold(model.p23)
        self._pauses, self._ends = threshold(model.p32), threshold(model.p32 + model.leave_burst)

    def _chances(self, purpose_offset: int) -> _Chances:
        draw = self._draws[purpose_offset].block()
        gap = np.where(draw <= self._isolated, 3, np.where(draw <= self._begins, 2, 0))
        within = np.where(draw <= self._resumes, 2, 1)
        burst = np.where(draw <= self._pauses, 1, np.where(draw <= self._ends, 0, 2))
        following = np.stack([gap, within, burst, np.zeros(BLOCK, np.int64)], 1).astype(np.uint8)
        return _Chances(following, following >= 2)


def loss_model(loss: LossProcess | None, seed: Seed) -> LossModel:
    """The process that `loss` describes."""
    if isinstance(loss, GilbertElliott):
        return ElliottLoss(loss, seed)
    if isinstance(loss, FourState):
        return FourStateLoss(loss, seed)
    if loss is None or loss.ratio == 0.0:
        return NoLoss()
    if loss.correlation:
        return CorrelatedLoss(loss.ratio, loss.correlation, seed)
    if loss.burst is None:
        return RandomLoss(loss.ratio, seed)
    return ElliottLoss(GilbertElliott(*loss.gilbert), seed)


def observed(lost: Flags) -> tuple[float, float]:
    """Loss ratio and mean burst of a sequence; for printing what was applied beside what was set."""
    starts = np.count_nonzero(lost[1:] & ~lost[:-1]) + int(lost[0]) if len(lost) else 0
    count = int(np.count_nonzero(lost))
    return count / max(1, len(lost)), count / starts if starts else 0.0


def sequence(loss: Loss | GilbertElliott | FourState, seed: Seed, packets: int) -> Flags:
    """Which of the first `packets` packets are lost."""
    model = loss_model(loss, seed)
    return np.concatenate([model.block().original for _ in range(-(-packets // BLOCK))])[:packets]
