"""Holds back the frames that open a flow until the gateway has reached its peer."""

from __future__ import annotations

import numpy as np

from probe.methods.batch import Batch
from probe.net.pipe import Pipe
from probe.wire.ethernet import KEY_BYTES, TCP, look

OPEN, REFUSED, SILENT, GONE = "open", "refused", "silent", "gone"
"""What became of a flow: frames may pass; they will meet a refusal; nobody answers; it is no longer known."""

MAX_HELD = 64
"""Frames of one flow that wait for the gateway; more are lost, as at a router that asks for an address."""

_KEY = np.dtype(("V", KEY_BYTES))


class Gate:
    """Between the weak network and the far end, on the way up. `pings`: addresses (as in a key) that answer."""

    def __init__(self, gateway: Pipe, pings: frozenset[bytes]) -> None:
        self._gateway, self._pings = gateway, pings
        self._open: set[bytes] = set()
        self._held: dict[bytes, list[Batch]] = {}
        self.withheld = 0
        """Frames that went no further: for want of an answer, or because nobody carries what they are."""

    def sift(self, batch: Batch) -> Batch:
        """Those that may pass now; the others wait, or end here."""
        seen = look(batch.data, batch.size)
        if not seen.opens.any() and not seen.ping.any():
            return batch
        keys = np.ascontiguousarray(seen.key).view(_KEY).reshape(-1)
        passes = np.ones(len(keys), np.bool_)
        for row in np.flatnonzero(seen.opens | seen.ping).tolist():
            key = bytes(keys[row])
            if seen.ping[row]:
                passes[row] = key[4:20] in self._pings
                self.withheld += int(not passes[row])
            elif key not in self._open:
                passes[row] = False
                self._hold(key, batch.take(slice(row, row + 1)))
        return batch if passes.all() else batch.take(passes)

    def _hold(self, key: bytes, frame: Batch) -> None:
        waiting = self._held.get(key)
        if waiting is None:
            waiting = self._held[key] = []
            self._gateway.send(key)
        elif key[1] == TCP or len(waiting) >= MAX_HELD:  # of a connection's opening one is enough
            self.withheld += 1
            return
        waiting.append(frame._replace(data=frame.data.copy(), size=frame.size.copy()))

    def answered(self) -> list[Batch]:
        """What may pass after the gateway's answers; the pipe has to be readable."""
        freed = []
        while True:
            (key, outcome), _ = self._gateway.receive()
            if outcome == GONE:
                self._open.discard(key)
            else:
                waiting = self._held.pop(key, [])
                if outcome == OPEN:
                    self._open.add(key)
                if outcome in (OPEN, REFUSED):
                    freed += waiting
                else:
                    self.withheld += len(waiting)
            if not self._gateway.holds_message:
                return freed
