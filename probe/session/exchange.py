"""The packets of an opened session: measured by the worker, harvested meanwhile, and what it came to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np

from probe.errors import NotMeasured, Unreachable
from probe.methods.negotiation import Grant
from probe.methods.schedule import SECOND_NS
from probe.metrics import NEVER, T_MAX_NS, Unsent
from probe.net.clock import monotonic_ns, wall_offset
from probe.net.job import SENDING, JobResult, MediaJob
from probe.net.quic import ControlConnection
from probe.records import COMPLETED, DIED, INTERRUPTED, NOT_CONNECTED, UNREACHABLE, SessionRecord
from probe.session.context import RunContext
from probe.session.harvest import Harvest
from probe.session.packet_loop import PacketLoop
from probe.session.weakening import Weakened

POLL_S = 0.25
HARVEST_EVERY = 4  # polls
OVERTIME_NS = 30 * SECOND_NS
"""Beyond stream and tail: a handshake and a bind of `HANDSHAKE_TIMEOUT_NS` each, and as much again."""

Tell = Callable[[int, int, int], None]
"""Of phase (net.job), packets sent and packets back."""


class Exchange:
    """Fills in `record` as it goes. `path` is the weak network in the way, or none."""

    def __init__(
        self,
        control: ControlConnection,
        grant: Grant,
        path: Weakened,
        packets: PacketLoop,
        context: RunContext,
        record: SessionRecord,
    ) -> None:
        self._control, self._grant, self._path = control, grant, path
        self._packets, self._context = packets, context
        self._record = record
        self.sent = self.back = 0
        """Scheduled packets that left, and those of them that came back; without any repairs."""

    async def run(self, job: MediaJob, *, weak: bool, tell: Tell) -> None:
        """Measure. Whatever ends it, the packets so far are handed to the store.

        `weak`: a network of our own choosing is in the way, which may keep a connection from coming about.
        Raises NotMeasured when a process of ours ends, StoreError, and what the worker raises.
        """
        record = self._record
        record.wall_offset_ns = wall_offset().offset_ns
        self._packets.start(job)
        rows = self._packets.rows
        harvest = Harvest(self._control, job, record, rows, self._packets.progress, self._context.writer)
        try:
            result = await self._watch(harvest, tell, job)
            self._note(result)
            record.impairment = await self._path.counters()
            await self._conclude(harvest, result, weak=weak)
        finally:
            await self._packets.abandon()
            left = (rows["sent_ns"] != NEVER) & (rows["unsent"] == Unsent.SENT)
            self.sent = int(np.count_nonzero(left))
            self.back = int(np.count_nonzero(left & (rows["received_ns"] != NEVER)))
            await harvest.finish()

    async def _watch(self, harvest: Harvest, tell: Tell, job: MediaJob) -> JobResult:
        """Wait for the worker; harvest meanwhile; stop it when the node dies or the run is stopped."""
        progress = self._packets.progress
        poll, give_up_ns = 0, monotonic_ns() + job.spec.duration_ns + T_MAX_NS + OVERTIME_NS
        while monotonic_ns() < give_up_ns:
            with contextlib.suppress(TimeoutError):
                return await self._packets.result(POLL_S)
            poll += 1
            tell(*(int(progress[name][0]) for name in ("phase", "sent", "received")))
            if self._control.lost.is_set() or self._context.stopping.is_set():
                progress["stop"] = 1
            elif poll % HARVEST_EVERY == 0 and progress["phase"][0] >= SENDING:
                with contextlib.suppress(Unreachable):
                    await harvest.step()
        raise NotMeasured("our own packet loop did not come back", hint="is this machine overloaded?")

    def _note(self, result: JobResult) -> None:
        """What the worker measured beside the packets."""
        record = self._record
        record.handshake_ms, record.bind_ms = result.handshake_ms, result.bind_ms
        record.first_packet_ms = result.first_packet_ms
        phases = (record.resolve_ms, record.handshake_ms, record.bind_ms, record.first_packet_ms)
        if all(phase is not None for phase in phases):
            record.connect_ms = sum(phase for phase in phases if phase is not None)
        record.client |= result.counters
        record.quality |= result.quality

    async def _conclude(self, harvest: Harvest, result: JobResult, *, weak: bool) -> None:
        """Whose doing the end was. The node is asked last: one that is gone has died, whatever came before."""
        record = self._record
        stopped = self._context.stopping.is_set() and result.outcome != COMPLETED
        if stopped:
            record.outcome = INTERRUPTED
        elif result.outcome == UNREACHABLE:
            # The control channel, which does not pass the weak network, stands: the vendor is not to blame.
            record.outcome, record.error = (NOT_CONNECTED if weak else UNREACHABLE), result.error
        elif result.outcome == COMPLETED or weak:
            record.outcome, record.error = COMPLETED, result.error
        else:
            record.outcome, record.error = DIED, result.error or {"code": "died"}
        try:
            await harvest.step()
            record.counters = await self._control.close(self._grant.session)
        except Unreachable as error:
            if not stopped:
                record.outcome = DIED
                record.error = {"code": "died", "detail": str(error), "hint": error.hint}
