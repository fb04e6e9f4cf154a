"""Measure a campaign: each session of the diary at its time, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from probe.plan.expand import NodeSchedule, SessionSpec
from probe.plan.loaded import LoadedPlan
from probe.plan.model import Vantage
from probe.records import Json, SessionRecord
from probe.session import volume
from probe.session.appointed import record_of, spec_of
from probe.session.campaign import Campaign, CampaignOptions, Clock, wall_clock
from probe.session.context import RunContext
from probe.session.diary import Appointment, Standing, lanes_of
from probe.session.lane import Lane
from probe.session.progress import Event, Listener, SessionFinished
from probe.session.quiet import QuietRule
from probe.session.run import vantage_named
from probe.session.stopping import Stopping
from probe.store.documents import Unreadable, read_json
from probe.store.layout import run_folder
from probe.store.resume import at_node, finished_record, stored_sessions
from probe.store.writer import RunWriter

SKIPPED = "skipped.json"
"""Sessions that were due while the machine was not quiet, with the reason; a part of those missed."""
_POLL_S = 30.0
_QUIET_POLL_S = 5.0
_LATE_S = 2.0
"""What begins later than this after its time waits until no other session is under way: after a sleep, or when the
machine is quiet again, the sessions of many nodes are due at once, and would be measured in a burst."""
_TURN_POLL_S = 0.5


@dataclass(slots=True)
class _AppointedContext(RunContext):
    """Numbers a session by the diary."""

    manifest: Json = field(default_factory=dict)
    appointment: Appointment | None = None
    clock: Clock = wall_clock

    def new_record(self, node: NodeSchedule, spec: SessionSpec) -> SessionRecord:
        assert self.appointment
        return record_of(self.manifest, self.appointment, node, spec, self.clock())


def skipped_in(campaign: Campaign) -> Json:
    """Sessions that the campaign let pass because the machine was not quiet, with the reason."""
    try:
        found = read_json(run_folder(campaign.results, campaign.run_id) / SKIPPED).get("not_quiet")
    except Unreadable:
        return {}
    return found if isinstance(found, dict) else {}


class CampaignRun:
    """Measures what is still to come. Whoever makes one holds the run (`store.resume.only_writer`).

    `clock`, `speed` (its seconds in a second) and `quiet` are parameters for those who have no days to wait.
    """

    def __init__(
        self,
        loaded: LoadedPlan,
        campaign: Campaign,
        options: CampaignOptions,
        listener: Listener,
        stopping: Stopping,
        *,
        clock: Clock = wall_clock,
        quiet: Callable[[], str | None] | None = None,
        speed: float = 1.0,
    ) -> None:
        self._loaded, self._campaign, self._options = loaded, campaign, options
        self._listener, self._stopping, self._clock, self._speed = listener, stopping, clock, speed
        self._quiet = quiet or QuietRule().objection
        self._lanes = lanes_of(loaded.plan)
        self._vantage: Vantage | None = vantage_named(loaded, options.vantage)
        self._begun = stored_sessions(campaign.results, campaign.run_id)
        self._under_way = 0
        self.spent = self._spent_before()
        """Bytes on the wire, of sessions that ended and, as foreseen, of those under way."""
        self.skipped: dict[str, str] = dict(skipped_in(campaign))
        """Why a session that was due was not measured, by its number."""
        self.objection: str | None = None
        """Why a session that is due is not begun at this moment."""
        self.capped = False
        """Whether the data cap ended the campaign."""

    async def run(self) -> None:
        """Until the last session of the diary is over, the cap is reached, or the run is stopped.

        Raises StoreError when results cannot be written.
        """
        campaign = self._campaign
        by_node: dict[tuple[str, str], list[Appointment]] = {}
        for appointment in campaign.diary:
            by_node.setdefault((appointment.vendor, appointment.node), []).append(appointment)
        with RunWriter(campaign.results, campaign.manifest, resume=True) as writer:
            try:
                async with asyncio.TaskGroup() as group:
                    for appointments in by_node.values():
                        group.create_task(self._node(writer, appointments))
            except BaseExceptionGroup as failed:
                raise failed.exceptions[0] from None

    def standing(self) -> Standing:
        """What is done (or begun), missed and to come; no file is looked at."""
        return self._campaign.standing(self._clock(), self._begun)

    def foreseen(self, appointments: Iterable[Appointment]) -> int:
        """Bytes that these sessions would put on the wire."""
        return sum(volume.foreseen(self._spec(appointment)) for appointment in appointments)

    async def _node(self, writer: RunWriter, appointments: Sequence[Appointment]) -> None:
        """One node's sessions, one at a time; a failure of the store ends the others as well.

        The next one is looked for again after every wait: by a clock that was set, or after a sleep, it is another.
        """
        try:
            while not self._over():
                appointment = self._next(appointments)
                if appointment is None:
                    return
                left = self._left(appointment)
                if left > 0:
                    await self._pause(min(left, _POLL_S))
                elif (objection := self._objection()) is not None:
                    await self._pause(_QUIET_POLL_S)
                    await self._note_late(writer, appointment, objection)
                elif left < -_LATE_S and self._under_way:
                    await self._pause(_TURN_POLL_S)
                else:
                    await self._take_turn(appointment, writer)
        except BaseException:
            self._stopping.set()
            raise

    async def _take_turn(self, appointment: Appointment, writer: RunWriter) -> None:
        """Measure, unless another campaign of this results folder is at the node: then wait a moment."""
        endpoint = self._lanes[appointment.vendor, appointment.node][appointment.window].node.endpoint
        alone = contextlib.nullcontext(enter_result=True)  # an emulated node is this campaign's own
        with alone if endpoint.emulated else at_node(self._campaign.results, str(endpoint)) as free:
            if free and self._within_cap(appointment):
                self._under_way += 1
                await self._measure(appointment, writer)
                self._under_way -= 1
        if not free:
            await self._pause(_TURN_POLL_S)

    def _objection(self) -> str | None:
        self.objection = self._quiet()
        return self.objection

    def _next(self, appointments: Sequence[Appointment]) -> Appointment | None:
        """The first that was not begun and may still begin in time."""
        now = self._clock()
        return next((one for one in appointments if one.index not in self._begun and one.latest >= now), None)

    def _over(self) -> bool:
        return self._stopping.is_set() or self.capped

    def _left(self, appointment: Appointment) -> float:
        return (appointment.starts - self._clock()).total_seconds() / self._speed

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _note_late(self, writer: RunWriter, appointment: Appointment, objection: str) -> None:
        """Write down why, once it is too late to begin."""
        if appointment.latest >= self._clock() or self._over():
            return
        self.skipped[str(appointment.index)] = objection
        await asyncio.to_thread(writer.write_document, SKIPPED, {"not_quiet": dict(self.skipped)})

    def _within_cap(self, appointment: Appointment) -> bool:
        """Take the session's bytes, or end the campaign."""
        cap, more = self._options.max_bytes, self.foreseen([appointment])
        self.capped = cap is not None and self.spent + more > cap
        if not self.capped:
            self.spent += more
        return not self.capped

    async def _measure(self, appointment: Appointment, writer: RunWriter) -> None:
        self._begun.add(appointment.index)
        lane = self._lanes[appointment.vendor, appointment.node][appointment.window]
        spec = self._spec(appointment)

        def hear(event: Event) -> None:
            if isinstance(event, SessionFinished):
                self.spent += volume.repairs(event.record)
            self._listener(event)

        context = _AppointedContext(
            self._campaign.run_id,
            self._loaded.plan.country,
            self._campaign.manifest["seed"],
            writer,
            self._loaded.networks,
            self._vantage,
            hear,
            self._stopping,
            self._options.carriage,
            manifest=self._campaign.manifest,
            appointment=appointment,
            clock=self._clock,
        )
        await Lane(replace(lane, sessions=(spec,)), context).run()

    def _spec(self, appointment: Appointment) -> SessionSpec:
        return spec_of(self._lanes[appointment.vendor, appointment.node][appointment.window], appointment)

    def _spent_before(self) -> int:
        """By the sessions that are stored."""
        spent = 0
        for appointment in self._campaign.diary:
            if appointment.index in self._begun:
                spent += self.foreseen([appointment])
                record = finished_record(self._campaign.results, self._campaign.run_id, appointment.index)
                spent += 0 if record is None else volume.repairs(record)
        return spent
