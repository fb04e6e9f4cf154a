"""What befalls packets by their number alone: lost, doubled, damaged, delayed by how much, let past the others.

netem's order of operations: duplication is drawn first and loss always with it; a packet both lost and
doubled is one packet. The copy of a packet then meets the whole machine with draws of its own, before its
original. Everything here belongs to a packet's number; the time of arrival plays no part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.impairment.delay import DelayLine
from probe.impairment.draws import (
    BIT,
    BLOCK,
    COPY,
    CORRUPT,
    DELAY,
    DUPLICATE,
    REORDER,
    Correlated,
    Draws,
    Seed,
    threshold,
)
from probe.impairment.events import Chance, Reorder
from probe.impairment.loss import Flags, Losses, loss_model
from probe.impairment.profile import Impairment
from probe.metrics import Times


class Passes(NamedTuple):
    """A block of `BLOCK` packets as what goes on: m passes, those of one packet beside each other."""

    start: NDArray[np.int64]
    """(BLOCK + 1,) packet i goes on as the passes `start[i]` to `start[i + 1]`."""
    packet: NDArray[np.int64]
    """(m,) which packet of the block a pass belongs to."""
    delay_ns: Times
    """(m,) the draw of the delay line, maybe negative."""
    overtakes: Flags | None
    """(m,) whether it skips delay and line; None: none does."""
    bit: NDArray[np.int64] | None
    """(m,) which of its bits is flipped, as a share of 2^32, or -1; None: none is."""
    lost: NDArray[np.int64]
    """(BLOCK + 1,) passes lost up to and without packet i."""
    doubled: NDArray[np.int64]
    """(BLOCK + 1,) copies made up to and without packet i, those lost included."""


class _Sieve:
    """Something that happens to passes with a chance of its own."""

    def __init__(self, chance: Chance, seed: Seed, purpose: int) -> None:
        self._threshold = threshold(chance.ratio)
        self._correlated = Correlated(chance.correlation, seed, purpose)

    def of(self, draw: NDArray[np.int64]) -> Flags:
        return self._correlated.of(draw) <= self._threshold


class _Overtaking:
    """netem's `reorder P gap N`: after N - 1 packets that wait, one may go at once."""

    def __init__(self, reorder: Reorder, seed: Seed) -> None:
        self._rest = reorder.gap - 1
        self._threshold = threshold(reorder.ratio)
        self._correlated = Correlated(reorder.correlation, seed, REORDER)
        self._waited = 0

    def of(self, draw: NDArray[np.int64]) -> Flags:
        if not self._rest:
            return self._correlated.of(draw) <= self._threshold
        # Only a packet that may go draws, and whether it may depends on those before.
        goes, waited = np.zeros(len(draw), np.bool_), self._waited
        for row, number in enumerate(draw.tolist()):
            if waited >= self._rest and self._correlated.next(number) <= self._threshold:
                goes[row], waited = True, 0
            else:
                waited += 1
        self._waited = waited
        return goes


class Fates:
    """An endless sequence of packets' fates, a block at a time."""

    def __init__(self, impairment: Impairment, seed: Seed) -> None:
        self._seed = seed
        self._loss = loss_model(impairment.loss, seed)
        self.delay = DelayLine(impairment, seed)
        self._doubling = _sieve(impairment.duplicate, seed, DUPLICATE)
        self._damage = _sieve(impairment.corrupt, seed, CORRUPT)
        self._overtaking = _Overtaking(impairment.reorder, seed) if impairment.reorder else None
        self._varies = bool(impairment.jitter_ns)
        self._draws: dict[int, Draws] = {}

    def block(self) -> Passes:
        """The fates of the next `BLOCK` packets."""
        if self._doubling is None:
            lost = self._loss.block().original
            packet = np.flatnonzero(~lost)
            start = np.concatenate([[0], np.cumsum(~lost)])
            none = np.zeros(BLOCK + 1, np.int64)
            return self._passes(start, packet, None, np.concatenate([[0], np.cumsum(lost)]), none)
        twice = self._doubling.of(self._draw(DUPLICATE))
        losses = self._loss.block(twice)
        return self._doubled(twice, losses)

    def _doubled(self, twice: Flags, losses: Losses) -> Passes:
        copied = twice & ~losses.original
        gone = (losses.original & ~twice).astype(np.int64) + (copied & losses.copy)
        alive = np.stack([copied & ~losses.copy, ~losses.original | twice], 1)
        found = np.flatnonzero(alive)
        start = np.concatenate([[0], np.cumsum(alive.sum(1))])
        counts = (np.concatenate([[0], np.cumsum(column)]) for column in (gone, copied))
        return self._passes(start, found >> 1, found & 1 == 0, *counts)

    def _passes(
        self,
        start: NDArray[np.int64],
        packet: NDArray[np.int64],
        copy: Flags | None,
        lost: NDArray[np.int64],
        doubled: NDArray[np.int64],
    ) -> Passes:
        bit = overtakes = None
        if self._damage is not None:
            damaged = self._damage.of(self._pick(CORRUPT, packet, copy))
            bit = np.where(damaged, self._pick(BIT, packet, copy), -1)
        if self._overtaking is not None:
            overtakes = self._overtaking.of(self._pick(REORDER, packet, copy))
        if not self._varies:
            return Passes(start, packet, self.delay.delays(packet), overtakes, bit, lost, doubled)
        draw = self._pick(DELAY, packet, copy)
        if overtakes is None:
            delay = self.delay.delays(draw)
        else:  # one that overtakes draws no delay
            delay = np.zeros(len(packet), np.int64)
            delay[~overtakes] = self.delay.delays(draw[~overtakes])
        return Passes(start, packet, delay, overtakes, bit, lost, doubled)

    def _pick(self, purpose: int, packet: NDArray[np.int64], copy: Flags | None) -> NDArray[np.int64]:
        """The draw of each pass: by its packet's number, from another sequence for copies."""
        draw = self._draw(purpose)[packet]
        return draw if copy is None else np.where(copy, self._draw(purpose + COPY)[packet], draw)

    def _draw(self, purpose: int) -> NDArray[np.int64]:
        if purpose not in self._draws:
            self._draws[purpose] = Draws(self._seed, purpose)
        return self._draws[purpose].block()


def _sieve(chance: Chance | None, seed: Seed, purpose: int) -> _Sieve | None:
    return _Sieve(chance, seed, purpose) if chance is not None and chance.ratio else None
