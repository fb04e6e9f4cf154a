"""Bring a session's packets home while it runs: node's log in, finished rows out to the store."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from probe.metrics import NEVER, T_MAX_NS, Rows
from probe.net.clock import monotonic_ns
from probe.net.quic import ControlConnection
from probe.records import SessionRecord
from probe.session.merge import merge_log
from probe.store.writer import RunWriter

SETTLE_NS = 500_000_000
"""Beyond T_max, for the log's own journey."""


class Harvest:
    """`rows` is the worker's shared array; what will not change any more goes to `writer`, once."""

    def __init__(
        self, control: ControlConnection, session: int, record: SessionRecord, rows: Rows, writer: RunWriter
    ) -> None:
        self._control, self._session, self._record = control, session, record
        self._rows, self._writer = rows, writer
        self._cursor = 0
        self._open: NDArray[np.bool_] = np.ones(len(rows), np.bool_)

    async def step(self) -> None:
        """Take what the node logged since the last time, then hand over what is settled."""
        asked_ns = monotonic_ns()
        while True:
            entries, cursor = await self._control.log(self._session, self._cursor)
            merge_log(self._rows, entries, self._record.packets)
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
        scheduled = self._rows["scheduled_ns"]
        ready = self._open & (scheduled != NEVER)
        if until_ns is not None:
            ready &= scheduled <= until_ns
        if ready.any():
            self._open &= ~ready
            chosen = self._rows[ready]
            chosen = chosen[np.argsort(chosen["scheduled_ns"], kind="stable")]
            await asyncio.to_thread(self._writer.add_rows, self._record, chosen)
