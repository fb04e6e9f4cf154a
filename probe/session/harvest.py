"""Bring a session's packets home while it runs: node's log in, finished rows out to the store."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from probe.methods.running import Running
from probe.metrics import T_MAX_NS, Rows, join_rows
from probe.net.clock import monotonic_ns
from probe.net.job import MediaJob
from probe.net.quic import ControlConnection
from probe.records import SessionRecord
from probe.session.merge import keys_of, merge_log
from probe.store.writer import RunWriter
from probe.wire.log import LOG

SETTLE_NS = 500_000_000
"""Beyond T_max, for the log's own journey."""


class Harvest:
    """`rows` and `progress` are what the worker shares; what will not change any more goes to `writer`, once.

    What the node logged of a packet waits for that moment, too: before it the worker writes to the same row, and of two
    processes that change a number at a time one loses, or both add the same correction.
    """

    def __init__(
        self,
        control: ControlConnection,
        job: MediaJob,
        record: SessionRecord,
        rows: Rows,
        progress: NDArray[np.void],
        writer: RunWriter,
    ) -> None:
        self._control, self._session, self._record = control, job.session, record
        self._streams = job.spec.calls
        self._running, self._progress, self._writer = Running(rows, job.plan(), 0), progress, writer
        self._cursor = 0
        self._log: list[NDArray[np.void]] = [np.zeros(0, LOG)]
        self._open: NDArray[np.bool_] = np.ones(len(rows), np.bool_)

    async def step(self) -> None:
        """Take what the node logged since the last time, then hand over what is settled."""
        asked_ns = monotonic_ns()
        while True:
            entries, cursor = await self._control.log(self._session, self._cursor)
            self._log.append(entries)
            if cursor == self._cursor:
                break
            self._cursor = cursor
        # A packet that reached the node within T_max is in a log that was asked for after that.
        self._record.client["log_until_ns"] = asked_ns - T_MAX_NS
        await self._hand_over(asked_ns - T_MAX_NS - SETTLE_NS)

    async def finish(self) -> None:
        """Hand over everything that is left."""
        await self._hand_over(None)

    async def _hand_over(self, until_ns: int | None) -> None:
        self._running.start_ns = int(self._progress["start_ns"][0])
        if not self._running.start_ns:  # nothing was scheduled yet
            return
        ready = self._open if until_ns is None else self._open & self._running.due_by(until_ns)
        if ready.any():
            self._open = self._open & ~ready
            self._merge()
            chosen = self._running.samples(np.flatnonzero(ready))
            chosen = chosen.take(np.argsort(chosen["scheduled_ns"], kind="stable"))
            await asyncio.to_thread(self._writer.add_rows, self._record, chosen)

    def _merge(self) -> None:
        """What the node logged of packets that are settled."""
        log = join_rows(self._log)
        keys = keys_of(log, streams=self._streams)
        ours = (keys >= 0) & (keys < len(self._open))
        settled = ours.copy()
        settled[ours] = ~self._open[keys[ours]]
        merge_log(self._running.rows, log.take(np.flatnonzero(settled)), streams=self._streams)
        self._log = [log.take(np.flatnonzero(ours & ~settled))]
