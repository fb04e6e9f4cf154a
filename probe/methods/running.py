"""The rows of a session that runs, and the samples they become."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.methods.schedule import Schedule
from probe.metrics import SAMPLE, SCHEDULED_FIELDS, Rows, Times


class Running:
    """Rows (metrics.RUNNING) of `plan` sent from `start_ns` on: the first packet of each stream, then the second
    of each, so that those which leave at about the same time lie side by side.

    `rows` may be written by another process meanwhile; a row is ready to be taken when nothing can happen to
    it any more. Rows that are SAMPLE already are welcome too: what the schedule tells is then theirs.
    """

    def __init__(self, rows: Rows, plan: Schedule, start_ns: int) -> None:
        self.rows, self.start_ns = rows, start_ns
        self._plan = plan

    def scheduled_ns(self, keys: NDArray[np.int64] | None = None) -> Times:
        """(n,) when the packets of rows `keys`, or all, were due."""
        stream, seq = self._places(keys)
        due: Times = self.start_ns + self._plan.offset_ns[stream] + self._plan.time_ns[seq]
        return due

    def due_by(self, until_ns: int) -> NDArray[np.bool_]:
        """(rows,) which packets were due up to `until_ns`."""
        offset = until_ns - self.start_ns - self._plan.offset_ns
        reached = np.searchsorted(self._plan.time_ns, offset, "right")
        due: NDArray[np.bool_] = np.arange(self._plan.packets)[:, None] < reached
        return due.reshape(-1)

    def samples(self, keys: NDArray[np.int64] | None = None) -> Rows:
        """The rows `keys`, or all, as metrics.SAMPLE: a copy."""
        rows = self.rows if keys is None else self.rows.take(keys)
        samples: Rows = np.zeros(len(rows), SAMPLE)
        for name in rows.dtype.names or ():
            samples[name] = rows[name]
        self._schedule(samples, keys)
        return samples

    def write_schedule(self) -> None:
        """Fill in what the schedule tells, if the rows have room for it."""
        if self.rows.dtype.names and SCHEDULED_FIELDS[0] in self.rows.dtype.names:
            self._schedule(self.rows, None)

    def _schedule(self, samples: Rows, keys: NDArray[np.int64] | None) -> None:
        stream, seq = self._places(keys)
        samples["scheduled_ns"] = self.scheduled_ns(keys)
        samples["stream"], samples["seq"], samples["size"] = stream, seq, self._plan.size[seq]

    def _places(self, keys: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Stream and sequence number of each row."""
        if keys is None:
            keys = np.arange(len(self.rows))
        seq, stream = np.divmod(keys, len(self._plan.offset_ns))
        return stream, seq
