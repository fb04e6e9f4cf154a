"""A campaign by its clock, in virtual time: nothing twice, nothing in a burst, whatever clock and machine do."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from probe.plan.load import load_plan
from probe.plan.loaded import LoadedPlan
from probe.records import COMPLETED
from probe.session.appointed import record_of
from probe.session.campaign import Campaign, CampaignOptions, open_campaign
from probe.session.campaign_run import CampaignRun, skipped_in
from probe.session.diary import PATIENCE, Appointment
from probe.session.stopping import Stopping
from probe.store.resume import at_node, stored_sessions
from probe.store.writer import RunWriter
from tests.session import virtual_time
from tests.session.short_campaign import EPOCH, PLAN

HOUR = 3600.0


class World:
    """A wall clock that can be set, and the sessions that were measured in it."""

    def __init__(self, folder: Path, days: int = 2, plan: str = PLAN) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "plan.yaml").write_text(plan)
        self.loaded: LoadedPlan = load_plan(str(folder / "plan.yaml"))
        self.options = CampaignOptions(folder / "results", days, 7)
        self.campaign: Campaign = open_campaign(self.loaded, self.options, EPOCH)
        self.measured: list[tuple[Appointment, datetime]] = []
        self.passed_s = 0.0
        self.ahead_s = 0.0
        self.busy: Callable[[datetime], str | None] = lambda _: None
        self.running: Counter[str] = Counter()

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.passed_s + self.ahead_s)

    def until(self, seconds: float) -> CampaignRun:
        """Measure until so much time has passed since the beginning; then the process is killed."""

        async def measuring(loop: virtual_time.VirtualLoop) -> CampaignRun:
            before = self.passed_s

            def clock() -> datetime:
                self.passed_s = before + loop.time()
                return self.now()

            run = _Played(self, clock)
            task = asyncio.create_task(run.run())
            await asyncio.wait([task], timeout=max(0.0, seconds - before))
            clock()
            if task.done():
                task.result()
            task.cancel()
            await asyncio.wait([task])
            return run

        run = virtual_time.run(measuring)
        self.passed_s = max(self.passed_s, seconds)
        self.running.clear()
        return run

    def check(self) -> None:
        """Nothing twice, and everything at its time."""
        assert len({one.index for one, _ in self.measured}) == len(self.measured)
        for one, began in self.measured:
            assert one.starts <= began <= one.starts + PATIENCE
            assert began + timedelta(seconds=one.seconds) <= one.closes
        found = self.campaign.standing(self.now())
        assert len(found.done) == len(self.measured)
        assert len(found.done) + len(found.missed) + len(found.to_come) == len(self.campaign.diary)


class _Played(CampaignRun):
    """Sessions that take their time and leave their document."""

    def __init__(self, world: World, clock: Callable[[], datetime]) -> None:
        super().__init__(
            world.loaded,
            world.campaign,
            world.options,
            lambda _: None,
            Stopping(),
            clock=clock,
            quiet=lambda: world.busy(clock()),
        )
        self._world = world

    async def _measure(self, appointment: Appointment, writer: RunWriter) -> None:
        world, node = self._world, f"{appointment.vendor}/{appointment.node}"
        self._begun.add(appointment.index)
        world.running[node] += 1
        assert world.running[node] == 1
        lane = self._lanes[appointment.vendor, appointment.node][appointment.window]
        record = record_of(self._campaign.manifest, appointment, lane, self._spec(appointment), self._clock())
        world.measured.append((appointment, self._clock()))
        writer.finish_session(replace(record, outcome=COMPLETED))
        await asyncio.sleep(appointment.seconds)
        world.running[node] -= 1


@pytest.mark.slow
def test_every_session_is_measured_at_its_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    run = world.until(49 * HOUR)
    world.check()
    assert len(world.measured) == len(world.campaign.diary)
    assert not run.capped
    assert not run.standing().missed
    starts = [began for _, began in world.measured]
    assert min(later - earlier for earlier, later in pairwise(sorted(starts))) > timedelta(seconds=3)


def during(world: World, hours: float) -> float:
    """Seconds until so long into the first evening."""
    evening = next(one.opens for one in world.campaign.diary if one.window == "peak" and one.opens > EPOCH)
    return (evening - EPOCH).total_seconds() + hours * HOUR


@pytest.mark.slow
def test_a_node_at_which_another_campaign_is_has_to_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "0123456789abcdef")
    real = 'vendors:\n  - name: alpha\n    key: "${KEY}"\n    nodes: [{name: jkt-1, endpoint: "probe://192.0.2.1:40000"}]'
    old = PLAN[PLAN.index("vendors:") : PLAN.index("  - name: beta")]
    world = World(tmp_path, days=1, plan=PLAN.replace(old, f"{real}\n"))
    with at_node(world.options.results, "probe://192.0.2.1:40000") as first:
        assert first
        world.until(25 * HOUR)
        assert {one.vendor for one, _ in world.measured} == {"beta"}
    world.check()
    other = World(tmp_path / "b", days=1, plan=PLAN.replace(old, f"{real}\n"))
    other.until(25 * HOUR)
    other.check()
    assert {one.vendor for one, _ in other.measured} == {"alpha", "beta"}


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["asleep", "busy"])
def test_what_is_late_is_measured_one_after_the_other(tmp_path: Path, reason: str) -> None:
    text = PLAN.replace("repeat: 4", "repeat: 99").replace("duration: 1s", "duration: 20s")
    for name in ("gamma", "delta", "epsilon"):
        nodes = "[{name: jkt-1, endpoint: emulated, path: {peak: id-4g-evening, offpeak: id-4g-day}}]"
        text = text.replace("\nscenarios:", f"\n  - name: {name}\n    nodes: {nodes}\nscenarios:", 1)
    world = World(tmp_path, days=1, plan=text)
    began = during(world, 0.5)
    awake = EPOCH + timedelta(seconds=began + 300)
    world.until(began)
    if reason == "asleep":
        world.ahead_s += 300
    else:
        world.busy = lambda now: "load 3.00 a processor, limit 1" if now < awake else None
    world.until(began + 1200)
    world.check()
    starts = sorted(at for _, at in world.measured if awake <= at)
    seconds = world.campaign.diary[0].seconds
    late = [at for one, at in world.measured if awake <= at and at > one.starts + timedelta(seconds=2)]
    assert late
    for at in late:  # whatever began before it is over
        assert all(other >= at or other + timedelta(seconds=seconds) <= at for other in starts if other != at)
    assert max(Counter(starts).values()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("awake", [True, False])
def test_hours_slept_through_are_missed_and_not_made_up_for(tmp_path: Path, awake: bool) -> None:
    world = World(tmp_path)
    began = during(world, 0.1)
    world.until(began)
    if awake:  # the process waits, and its monotonic clock stands still meanwhile
        world.ahead_s += 3 * HOUR
    else:
        world.passed_s += 3 * HOUR
    world.until(49 * HOUR)
    world.check()
    found = world.campaign.standing(world.now())
    asleep = (EPOCH + timedelta(seconds=began), EPOCH + timedelta(seconds=began + 3 * HOUR))
    assert found.missed
    assert all(asleep[0] <= one.latest and one.starts <= asleep[1] for one in found.missed)


@pytest.mark.slow
def test_a_clock_that_is_set_back_makes_nothing_twice(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.until(during(world, 3.0))
    before = len(world.measured)
    assert before
    world.ahead_s -= 4 * HOUR
    world.until(60 * HOUR)
    world.check()
    assert len(world.measured) == len(world.campaign.diary)


@pytest.mark.slow
def test_sessions_that_a_wrong_clock_passed_over_are_measured_when_it_is_right(tmp_path: Path) -> None:
    world = World(tmp_path)

    def now() -> datetime:
        wrong = during(world, -1.0) <= world.passed_s < during(world, -0.5)
        return EPOCH + timedelta(seconds=world.passed_s, hours=6 * wrong)

    world.now = now  # type: ignore[method-assign]
    world.until(49 * HOUR)
    world.check()
    # While it was wrong it was past the evening, and in the night.
    missed = world.campaign.standing(world.now()).missed
    assert not [one for one in missed if one.window == "peak"]


@pytest.mark.slow
def test_nothing_is_measured_on_a_busy_machine_and_the_reason_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    busy_until = EPOCH + timedelta(seconds=during(world, 3.5))
    world.busy = lambda now: "load 3.00 a processor, limit 1" if now < busy_until else None
    world.until(during(world, 2.5))
    assert not [one for one, began in world.measured if began < busy_until]
    first = skipped_in(world.campaign)
    assert first
    world.until(49 * HOUR)
    world.check()
    skipped, missed = skipped_in(world.campaign), world.campaign.standing(world.now()).missed
    assert first.items() <= skipped.items()  # a restart forgets none
    assert {int(index) for index in skipped} <= {one.index for one in missed}
    assert all(one.latest < busy_until for one in missed)
    assert set(skipped.values()) == {"load 3.00 a processor, limit 1"}


def test_the_cap_holds_over_restarts(tmp_path: Path) -> None:
    world = World(tmp_path)
    run = world.until(0.0)
    cap = run.foreseen(world.campaign.diary[:9])
    world.options = replace(world.options, max_bytes=cap)
    world.until(during(world, 2.5))
    assert 0 < len(world.measured) < 9
    run = world.until(30 * HOUR)
    assert run.capped
    assert len(world.measured) == 9
    assert run.spent == run.foreseen(one for one, _ in world.measured) == cap
    assert world.until(49 * HOUR).capped
    assert len(world.measured) == 9


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_killed_set_forward_and_back_it_adds_up(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    world = World(tmp_path)
    while world.passed_s < 60 * HOUR:
        world.until(world.passed_s + chance.uniform(0, 5 * HOUR))
        jump = chance.choice([0.0, 0.0, 50.0, -50.0, 2 * HOUR, -2 * HOUR])
        world.ahead_s += jump
    assert stored_sessions(world.options.results, world.campaign.run_id) == {
        one.index for one, _ in world.measured
    }
    world.check()
    assert len(world.measured) > len(world.campaign.diary) / 3
