"""Measure a plan for days: each session of the diary at its time, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from probe.errors import ConfigError
from probe.net.job import USUAL, Carriage
from probe.plan.estimate import Estimate, estimate_session
from probe.plan.expand import NodeSchedule, SessionSpec
from probe.plan.loaded import LoadedPlan
from probe.plan.model import Vantage
from probe.records import Json, SessionRecord
from probe.session.appointed import diary_in, manifest_of, plan_digest, record_of, spec_of
from probe.session.context import RunContext
from probe.session.diary import Appointment, Standing, lanes_of, make_diary, standing
from probe.session.lane import Lane
from probe.session.progress import Listener
from probe.session.quiet import QuietRule
from probe.session.run import vantage_named
from probe.session.stopping import Stopping
from probe.store.resume import manifests, only_writer, stored_sessions
from probe.store.writer import RunWriter

KIND = "campaign"
SKIPPED = "skipped.json"
"""Sessions that were due while the machine was not quiet, with the reason; a part of those missed."""
_POLL_S = 30.0
_QUIET_POLL_S = 5.0

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """`max_bytes` is the most a campaign sends and receives (RTP), `max_rate` the most a session may send to a
    node in bit/s. None: no limit."""

    results: Path
    days: int
    seed: int | None = None
    vantage: str | None = None
    max_bytes: int | None = None
    max_rate: int | None = None
    carriage: Carriage = USUAL


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign found again (`resumed`) or just begun."""

    manifest: Json
    diary: list[Appointment]
    results: Path
    resumed: bool

    @property
    def run_id(self) -> str:
        return str(self.manifest["run_id"])

    @property
    def ends(self) -> datetime:
        start = datetime.fromisoformat(self.manifest["started_at"])
        return start + timedelta(days=self.manifest["days"])

    def standing(self, now: datetime) -> Standing:
        """What is done, missed and to come, by the files and the clock."""
        return standing(self.diary, stored_sessions(self.results, self.run_id), now)


def open_campaign(loaded: LoadedPlan, options: CampaignOptions, now: datetime) -> Campaign:
    """The unfinished campaign of this plan and vantage in these results, or a new one.

    Raises ConfigError before anything is written, and StoreError.
    """
    vantage = vantage_named(loaded, options.vantage)
    _check_rate(loaded, options.max_rate)
    for manifest in manifests(options.results, KIND):
        same = (manifest["plan_digest"], manifest["vantage"]) == (plan_digest(loaded), options.vantage)
        if not same:
            continue
        found = Campaign(manifest, diary_in(manifest), options.results, resumed=True)
        if found.ends > now and found.standing(now).to_come:
            _check_same(found, options)
            return found
    seed = secrets.randbits(32) if options.seed is None else options.seed
    start = now.replace(microsecond=0)
    diary = make_diary(loaded.plan, seed, start, options.days)
    if not diary:
        raise ConfigError("no session of the plan falls in these days", hint="give more --days")
    windows = lanes_of(loaded.plan).values()
    manifest = manifest_of(
        KIND,
        loaded,
        diary,
        start=start,
        days=options.days,
        seed=seed,
        emulated=any(lane.node.endpoint.emulated for lanes in windows for lane in lanes.values()),
        vantage=vantage.name if vantage else None,
    )
    RunWriter(options.results, manifest).close()
    return Campaign(manifest, diary, options.results, resumed=False)


def _check_same(found: Campaign, options: CampaignOptions) -> None:
    told = f"campaign {found.run_id} of this plan goes on until {found.ends:%Y-%m-%d %H:%M} UTC"
    hint = "give the same to go on with it, or --results DIR for another campaign beside it"
    if found.manifest["days"] != options.days:
        raise ConfigError(f"{told}, with --days {found.manifest['days']}", hint=hint)
    if options.seed not in (None, found.manifest["seed"]):
        raise ConfigError(f"{told}, with --seed {found.manifest['seed']}", hint=hint)


def _check_rate(loaded: LoadedPlan, max_rate: int | None) -> None:
    for lanes in lanes_of(loaded.plan).values() if max_rate is not None else ():
        for spec in (spec for lane in lanes.values() for spec in lane.sessions):
            rate = estimate_session(spec).rate_bps
            if max_rate is not None and rate > max_rate:
                raise ConfigError(
                    f"a session of '{spec.scenario_name}' sends {rate / 1000:.0f} kbit/s to a node, "
                    f"--max-rate allows {max_rate / 1000:.0f}",
                    hint="fewer calls or a lower bitrate; a stream sent slower would be another one",
                )


def volume_of(loaded: LoadedPlan, appointments: Sequence[Appointment]) -> int:
    """RTP bytes of these sessions, up and down together; retransmissions are not foreseen."""
    lanes = lanes_of(loaded.plan)
    parts: list[Estimate] = [
        estimate_session(spec_of(lanes[one.vendor, one.node][one.window], one)) for one in appointments
    ]
    return sum(part.bytes_up + part.bytes_down for part in parts)


@dataclass(slots=True)
class _AppointedContext(RunContext):
    """Numbers a session by the diary."""

    manifest: Json = field(default_factory=dict)
    appointment: Appointment | None = None
    clock: Clock = wall_clock

    def new_record(self, node: NodeSchedule, spec: SessionSpec) -> SessionRecord:
        assert self.appointment
        return record_of(self.manifest, self.appointment, node, spec, self.clock())


class CampaignRun:
    """Measures what is still to come. `clock` and `quiet` are parameters for whoever has no days to wait."""

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
        """`speed`: seconds of `clock` in a second."""
        self._loaded, self._campaign, self._options = loaded, campaign, options
        self._listener, self._stopping, self._clock, self._speed = listener, stopping, clock, speed
        self._quiet = quiet or QuietRule().objection
        self._lanes = lanes_of(loaded.plan)
        self._vantage: Vantage | None = vantage_named(loaded, options.vantage)
        self._spent = 0
        self.skipped: dict[str, str] = {}
        self.capped = False
        """Whether the data cap ended the campaign."""

    async def run(self) -> None:
        """Until the last session of the diary is over, the cap is reached, or the run is stopped.

        Raises ConfigError when another process measures this campaign, StoreError when results cannot be
        written.
        """
        campaign = self._campaign
        with (
            only_writer(campaign.results, campaign.run_id),
            RunWriter(campaign.results, campaign.manifest, resume=True) as writer,
        ):
            now = campaign.standing(self._clock())
            self._spent = volume_of(self._loaded, now.done)
            by_node: dict[tuple[str, str], list[Appointment]] = {}
            for appointment in now.to_come:
                by_node.setdefault((appointment.vendor, appointment.node), []).append(appointment)
            try:
                async with asyncio.TaskGroup() as group:
                    for appointments in by_node.values():
                        group.create_task(self._node(writer, appointments))
            except BaseExceptionGroup as failed:
                raise failed.exceptions[0] from None

    async def _node(self, writer: RunWriter, appointments: Sequence[Appointment]) -> None:
        """One node's sessions, one at a time; a failure of the store ends the others as well."""
        try:
            for appointment in appointments:
                if not await self._due(appointment):
                    return
                if await self._may_begin(writer, appointment):
                    await self._measure(writer, appointment)
        except BaseException:
            self._stopping.set()
            raise

    async def _due(self, appointment: Appointment) -> bool:
        """Wait for the appointment by the wall clock, which may jump; False when the campaign is over."""
        while not self._over() and (left := self._left(appointment.starts)) > 0:
            await self._pause(min(left, _POLL_S))
        return not self._over()

    def _over(self) -> bool:
        return self._stopping.is_set() or self.capped

    def _left(self, until: datetime) -> float:
        return (until - self._clock()).total_seconds() / self._speed

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _may_begin(self, writer: RunWriter, appointment: Appointment) -> bool:
        """Whether it may begin now: in time, within the cap, on a quiet machine."""
        reason = None
        while self._left(appointment.latest) >= 0 and not self._over():
            reason = self._quiet()
            if reason is None:
                return self._within_cap(appointment)
            await self._pause(min(_QUIET_POLL_S, max(self._left(appointment.latest), 0.01)))
        if reason is not None and not self._over():
            self.skipped[str(appointment.index)] = reason
            await asyncio.to_thread(writer.write_document, SKIPPED, {"not_quiet": dict(self.skipped)})
        return False

    def _within_cap(self, appointment: Appointment) -> bool:
        volume = volume_of(self._loaded, [appointment])
        if self._options.max_bytes is not None and self._spent + volume > self._options.max_bytes:
            self.capped = True
            return False
        self._spent += volume
        return True

    async def _measure(self, writer: RunWriter, appointment: Appointment) -> None:
        lane = self._lanes[appointment.vendor, appointment.node][appointment.window]
        context = _AppointedContext(
            self._campaign.run_id,
            self._loaded.plan.country,
            self._campaign.manifest["seed"],
            writer,
            self._loaded.networks,
            self._vantage,
            self._listener,
            self._stopping,
            self._options.carriage,
            manifest=self._campaign.manifest,
            appointment=appointment,
            clock=self._clock,
        )
        await Lane(replace(lane, sessions=(spec_of(lane, appointment),)), context).run()
