"""Groups of packets that leave together: netem's `slot`, behind the line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.impairment.delay import table_delays
from probe.impairment.draws import SLOT, Draws, Seed
from probe.impairment.events import Slot
from probe.impairment.line import LONG_AGO
from probe.metrics import Times


class SlotGate:
    """Holds packets, which come in order, until the next slot opens.

    A packet that finds no slot ahead waits for a new one, drawn from its arrival here; those that come
    before it opens leave with it, as far as the slot's packets and bytes go.
    """

    def __init__(self, slot: Slot, seed: Seed) -> None:
        self._slot = slot
        self._draws = Draws(seed, SLOT)
        self._pool: list[int] = []
        self._opens = LONG_AGO
        self._packets, self._bytes = slot.packets, slot.bytes
        self._table: Times | None = None
        if slot.distribution is not None and slot.distribution != "uniform" and slot.jitter_ns:
            self._table = table_delays(slot.min_ns, slot.jitter_ns, slot.distribution)

    def push(self, ready_ns: Times, length: NDArray[np.int64]) -> Times:
        """(m,) when packets of `length` bytes leave that come here at `ready_ns`, which ascends."""
        if not len(ready_ns):
            return ready_ns
        release = np.empty_like(ready_ns)
        ahead = np.cumsum(length)
        opens = self._opens
        row = 0
        while row < len(ready_ns):
            if opens < ready_ns[row]:
                opens = self._next(int(ready_ns[row]))
            end = int(np.searchsorted(ready_ns, opens, "right"))
            if self._slot.packets:
                end = min(end, row + self._packets)
            if self._slot.bytes:
                sent = int(ahead[row] - length[row])
                end = min(end, int(np.searchsorted(ahead, sent + self._bytes, "left")) + 1)
            release[row:end] = opens
            self._packets -= end - row
            self._bytes -= int(ahead[end - 1] - ahead[row] + length[row])
            if (self._slot.packets and self._packets <= 0) or (self._slot.bytes and self._bytes <= 0):
                opens = self._next(opens)
            row = end
        self._opens = opens
        return release

    def earliest(self, ready_ns: int) -> int:
        """A lower bound of the release of a packet that comes at `ready_ns` or later."""
        return max(ready_ns, self._opens)

    def _next(self, now_ns: int) -> int:
        """The slot after `now_ns`, with its room."""
        self._packets, self._bytes = self._slot.packets, self._slot.bytes
        return now_ns + max(0, self._length())

    def _length(self) -> int:
        slot = self._slot
        if not self._pool:
            self._pool = self._draws.block().tolist()[::-1]
        draw = self._pool.pop()
        if slot.distribution is None:
            return slot.min_ns + ((slot.max_ns - slot.min_ns) * draw >> 32)
        if self._table is not None:
            return int(self._table[draw % len(self._table)])
        if not slot.jitter_ns:
            return slot.min_ns
        return slot.min_ns - slot.jitter_ns + draw % (2 * slot.jitter_ns)
