"""Random numbers that belong to a packet's number, not to the moment it was asked for.

Draws are made in blocks of `BLOCK` packets, so that any split of the same packets into batches meets the
same numbers. Each purpose (loss, delay, ...) has a stream of its own: adding an impairment to a link moves
none of the draws of the others.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

BLOCK = 512
"""Packets whose fortune is drawn at once; more would keep the relay from releasing others for a millisecond."""

LOSS, DELAY, DUPLICATE, CORRUPT, REORDER, SLOT, OUTAGE, STATE_LOSS, BIT = range(9)
"""Purposes; the numbers are part of what a stored seed means and never change."""

COPY = 16
"""Added to a purpose: the same draw for the duplicate of a packet."""

Seed: TypeAlias = "int | np.random.SeedSequence"

U32_MAX = 2**32 - 1


def seed_sequence(seed: Seed) -> np.random.SeedSequence:
    """The sequence that `seed` stands for."""
    return seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)


def child(seed: Seed, key: int) -> np.random.SeedSequence:
    """The `key`-th seed below `seed`; unlike `SeedSequence.spawn` it does not depend on earlier calls."""
    parent = seed_sequence(seed)
    return np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, key))


class Draws:
    """An endless sequence of uniform 32-bit numbers, a block at a time."""

    def __init__(self, seed: Seed, purpose: int) -> None:
        # The raw output of a bit generator is the same in every numpy version; the distributions made
        # of it are not promised to be.
        self._source = np.random.PCG64(child(seed, purpose))

    def block(self) -> NDArray[np.int64]:
        """The numbers of the next `BLOCK` packets, 0 <= x < 2**32."""
        raw: NDArray[np.uint64] = self._source.random_raw(BLOCK)
        return (raw >> np.uint64(32)).astype(np.int64)


class Correlated:
    """netem's correlated numbers: each keeps a share of the one before it.

    X_n = floor((U_n (2^32 - k) + X_(n-1) k) / 2^32) with k = P32(correlation) + 1, from a random start. The
    result is no longer uniform, and that is netem's behaviour: see `advice.effective_ratio`.
    """

    def __init__(self, correlation: float, seed: Seed, purpose: int) -> None:
        self._keep = round(correlation * U32_MAX) + 1 if correlation else 0
        self._last = int(np.random.PCG64(child(child(seed, purpose), 0)).random_raw() >> 32)

    def of(self, draws: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers that follow from uniform ones, in their order."""
        if not self._keep:
            return draws
        keep, last = self._keep, self._last
        found = []
        for draw in draws.tolist():
            last = (draw * (2**32 - keep) + last * keep) >> 32
            found.append(last)
        self._last = last
        return np.array(found, np.int64)

    def next(self, draw: int) -> int:
        """`of` for a single number."""
        if self._keep:
            self._last = draw = (draw * (2**32 - self._keep) + self._last * self._keep) >> 32
        return draw


def threshold(probability: float) -> int:
    """The bound that `x <= threshold(p)` meets with probability p; -1 for "never".

    netem's number format: P32 = rint(p (2^32 - 1)), and an event of P32 = 0 never happens.
    """
    return round(probability * U32_MAX) or -1
