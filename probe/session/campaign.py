"""A campaign: found again or begun, and where it stands. Measuring it is `probe.session.campaign_run`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from probe.errors import ConfigError
from probe.net.job import USUAL, Carriage
from probe.plan.loaded import LoadedPlan
from probe.records import Json
from probe.session import volume
from probe.session.appointed import diary_in, manifest_of, plan_digest
from probe.session.diary import Appointment, Standing, lanes_of, make_diary, standing
from probe.session.run import vantage_named
from probe.session.weakening import check_kernel
from probe.store.resume import beginning, manifests, stored_sessions
from probe.store.writer import RunWriter

KIND = "campaign"

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class CampaignOptions:
    """`max_bytes` is the most a campaign puts on the wire both ways, `max_rate` the most a session may send to
    a node in bit/s (None: no limit). `once`: a campaign that is over is not followed by another."""

    results: Path
    days: int
    seed: int | None = None
    vantage: str | None = None
    max_bytes: int | None = None
    max_rate: int | None = None
    once: bool = False
    carriage: Carriage = USUAL


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign found again (`resumed`) or just begun."""

    manifest: Json
    diary: list[Appointment]
    results: Path
    resumed: bool

    @classmethod
    def stored(cls, manifest: Json, results: Path) -> Campaign:
        """The campaign of a manifest in the store."""
        return cls(manifest, diary_in(manifest), results, resumed=True)

    @property
    def run_id(self) -> str:
        return str(self.manifest["run_id"])

    @property
    def ends(self) -> datetime:
        start = datetime.fromisoformat(self.manifest["started_at"])
        return start + timedelta(days=self.manifest["days"])

    def standing(self, now: datetime, known: Collection[int] | None = None) -> Standing:
        """What is done, missed and to come, by the clock and the files; `known`: by these session numbers."""
        done = stored_sessions(self.results, self.run_id) if known is None else known
        return standing(self.diary, done, now)

    def unfinished(self, now: datetime) -> bool:
        """Whether there is anything left to measure."""
        return self.ends > now and bool(self.standing(now).to_come)


def campaigns_in(results: Path) -> Iterator[Campaign]:
    """All that are stored, the newest first."""
    for manifest in manifests(results, KIND):
        yield Campaign.stored(manifest, results)


def open_campaign(loaded: LoadedPlan, options: CampaignOptions, now: datetime) -> Campaign:
    """The unfinished campaign of this plan and vantage in these results, or a new one.

    With `once` also one that is over. Raises ConfigError before anything is written, NotMeasured if the kernel is to
    weaken networks and cannot, and StoreError.
    """
    vantage_named(loaded, options.vantage)
    if options.carriage.kernel_netem:
        check_kernel(loaded, None)
    _check_rate(loaded, options.max_rate)
    asked = plan_digest(loaded), options.vantage
    with beginning(options.results):
        for found in campaigns_in(options.results):
            if (found.manifest["plan_digest"], found.manifest["vantage"]) != asked:
                continue
            if found.unfinished(now) or options.once:
                _check_same(found, options)
                return found
        return _begin(loaded, options, now)


def _begin(loaded: LoadedPlan, options: CampaignOptions, now: datetime) -> Campaign:
    seed = secrets.randbits(32) if options.seed is None else options.seed
    start = now.replace(microsecond=0)
    diary = make_diary(loaded.plan, seed, start, options.days)
    if not diary:
        raise ConfigError("no session of the plan falls in these days", hint="give more --days")
    lanes = [lane for windows in lanes_of(loaded.plan).values() for lane in windows.values()]
    manifest = manifest_of(
        KIND,
        loaded,
        diary,
        start=start,
        days=options.days,
        seed=seed,
        emulated=any(lane.node.endpoint.emulated for lane in lanes),
        vantage=options.vantage,
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
            rate = volume.rate_bps(spec)
            if max_rate is not None and rate > max_rate:
                raise ConfigError(
                    f"a session of '{spec.scenario_name}' over {spec.transport} sends {rate / 1000:.0f} kbit/s to a "
                    f"node, IP headers counted, --max-rate allows {max_rate / 1000:.0f}",
                    hint="fewer calls or a lower bitrate; a stream sent slower would be another one",
                )
