"""The diary of a campaign: which session is due when, in each node's own hours, over days.

A pure function of plan, seed, start and days. What was measured, missed and is still to come follows from
the diary, the clock and what is stored: nothing is kept that could go wrong with a kill or a moved clock.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from probe.errors import ConfigError
from probe.plan.estimate import estimate_session
from probe.plan.expand import NodeSchedule, SessionSpec, expand
from probe.plan.model import Plan
from probe.plan.order import shuffled
from probe.plan.windows import Opening, next_opening
from probe.records import Json

GAP = timedelta(seconds=2)
"""Between two sessions of a node, for the node to let go of the first."""
PATIENCE = timedelta(seconds=60)
"""How late a session may begin, inside its window; later it is missed, and never made up for."""


_TIMES = ("starts", "opens", "closes")


@dataclass(frozen=True, slots=True)
class Appointment:
    """One session to come. `index` is its number in the diary and in the store, `day` the node's local date on
    which the window opened; `starts`, and `opens` and `closes` of the window within the campaign, are aware."""

    index: int
    vendor: str
    node: str
    window: str
    day: str
    starts: datetime
    opens: datetime
    closes: datetime
    seconds: float
    scenario: str
    network: str
    transport: str
    repeat: int

    @property
    def name(self) -> str:
        """Unique in its campaign, and the same for the same seed."""
        return f"{self.day}/{self.window}/{self.vendor}/{self.node}/{self.index}"

    @property
    def latest(self) -> datetime:
        """The last moment at which it may still begin."""
        return min(self.starts + PATIENCE, self.closes - timedelta(seconds=self.seconds))

    def to_json(self) -> Json:
        return asdict(self) | {name: getattr(self, name).isoformat() for name in _TIMES}

    @classmethod
    def from_json(cls, document: Json) -> Appointment:
        times = {name: datetime.fromisoformat(document[name]) for name in _TIMES}
        return cls(**(document | times))


class Standing(NamedTuple):
    """Where a campaign stands: `missed` were due and are not in the store."""

    done: list[Appointment]
    missed: list[Appointment]
    to_come: list[Appointment]


def standing(diary: Iterable[Appointment], stored: Collection[int], now: datetime) -> Standing:
    """Sort a diary by what is stored (session numbers) and by the clock."""
    found = Standing([], [], [])
    for appointment in diary:
        if appointment.index in stored:
            found.done.append(appointment)
        elif appointment.latest < now:
            found.missed.append(appointment)
        else:
            found.to_come.append(appointment)
    return found


def lanes_of(plan: Plan, only: str | None = None) -> dict[tuple[str, str], dict[str, NodeSchedule]]:
    """By vendor and node: window -> the node with the sessions that the matrix asks for in it."""
    found: dict[tuple[str, str], dict[str, NodeSchedule]] = {}
    for window in plan.windows:
        for lane in expand(plan, lambda _, name=window: name, only, claims=False):  # type: ignore[misc]
            chosen = tuple(spec for spec in lane.sessions if spec.window == window)
            found.setdefault((lane.vendor, lane.node.name), {})[window] = replace(lane, sessions=chosen)
    return found


def make_diary(
    plan: Plan, seed: int, start: datetime, days: int, only: str | None = None
) -> list[Appointment]:
    """All sessions of `days` times 24 hours from `start` (aware), in the order of their time.

    Each opening of a window holds the matrix once. In it the sessions begin at random moments; the nodes of a
    time zone measure the same thing one after the other, in random order, so that vendors and controls see the
    same minutes and do not see each other's packets. Where the window is too short for that they measure side
    by side. Raises ConfigError when not even that fits.
    """
    end = start + timedelta(days=days)
    by_node = lanes_of(plan, only)
    zones = sorted({lane.timezone for windows in by_node.values() for lane in windows.values()})
    found: list[Appointment] = []
    for zone in zones:
        for window in plan.windows:
            here = [windows[window] for windows in by_node.values() if windows[window].timezone == zone]
            lanes = [lane for lane in here if lane.sessions]
            for stretch in _stretches(plan, window, zone, start, end) if lanes else ():
                day = stretch.whole.local(zone)[0].date().isoformat()
                random = Random(f"{seed}/{zone}/{window}/{day}")
                found += _in_stretch(lanes, stretch, window, day, random)
    found.sort(key=lambda one: (one.starts, one.vendor, one.node))
    return [replace(one, index=index) for index, one in enumerate(found)]


class _Stretch(NamedTuple):
    """A window's opening, and what of it lies within the campaign (UTC)."""

    whole: Opening
    begins: datetime
    ends: datetime

    @property
    def share(self) -> float:
        return (self.ends - self.begins) / (self.whole.closes - self.whole.opens)

    @property
    def seconds(self) -> float:
        return (self.ends - self.begins).total_seconds()


def _stretches(plan: Plan, window: str, zone: str, start: datetime, end: datetime) -> Iterator[_Stretch]:
    after = start
    while True:
        opening = next_opening(plan.windows[window], zone, after)
        if opening.opens >= end:
            return
        yield _Stretch(opening, max(start, opening.opens), min(opening.closes, end))
        after = opening.closes


class _Slot(NamedTuple):
    """The same session of several nodes, each some seconds in; `length` seconds together."""

    parts: list[tuple[float, NodeSchedule, SessionSpec]]
    length: float


def _in_stretch(
    lanes: Sequence[NodeSchedule], stretch: _Stretch, window: str, day: str, random: Random
) -> Iterator[Appointment]:
    """The appointments of one opening; numbers are given later."""
    slots = _slots_that_fit(lanes, stretch.whole, window, day, random)
    # Where a campaign starts or ends inside the window it takes its share, not all of it in a hurry.
    slots = slots[: math.floor(len(slots) * stretch.share + random.random() * (stretch.share < 1))]
    while slots and _sum(slots) > stretch.seconds:
        slots.pop()
    pauses = sorted(random.uniform(0, stretch.seconds - _sum(slots)) for _ in slots)
    passed = 0.0
    for slot, pause in zip(slots, pauses, strict=True):
        for offset, lane, spec in slot.parts:
            # Whole seconds; lengths are whole as well, so that nothing moves into its neighbour.
            starts = stretch.begins + timedelta(seconds=math.floor(pause + passed + offset))
            yield Appointment(
                index=0,
                vendor=lane.vendor,
                node=lane.node.name,
                window=window,
                day=day,
                starts=starts,
                opens=stretch.begins,
                closes=stretch.ends,
                seconds=_seconds(spec),
                scenario=spec.scenario_name,
                network=spec.network,
                transport=spec.transport,
                repeat=spec.repeat,
            )
        passed += slot.length


def _slots_that_fit(
    lanes: Sequence[NodeSchedule], opening: Opening, window: str, day: str, random: Random
) -> list[_Slot]:
    room = (opening.closes - opening.opens).total_seconds()
    lanes = shuffled(lanes, random.getrandbits(32))
    for in_turn in (True, False):
        slots = list(_slots(lanes, random, in_turn=in_turn))
        if _sum(slots) <= room:
            return slots
    raise ConfigError(
        f"the matrix asks for {_sum(slots) / 60:.0f} min of sessions a node in the window '{window}', "
        f"which is open for {room / 60:.0f} min on {day}",
        hint="measure less: fewer repeats, shorter scenarios, or a longer window",
    )


def _slots(lanes: Sequence[NodeSchedule], random: Random, *, in_turn: bool) -> Iterator[_Slot]:
    """What is measured together: the same session of every node that has it, nodes in random order."""
    together: dict[tuple[object, ...], list[tuple[NodeSchedule, SessionSpec]]] = {}
    longest = max(lanes, key=lambda lane: len(lane.sessions))
    for lane in (longest, *(lane for lane in lanes if lane is not longest)):
        for spec in lane.sessions:
            key = (spec.repeat, spec.scenario_name, spec.network, spec.transport)
            together.setdefault(key, []).append((lane, spec))
    for parts in together.values():
        random.shuffle(parts)
        lengths = [_taken(spec) for _, spec in parts]
        offsets = [sum(lengths[:place]) if in_turn else 0.0 for place in range(len(parts))]
        placed = [(offset, lane, spec) for offset, (lane, spec) in zip(offsets, parts, strict=True)]
        yield _Slot(placed, sum(lengths) if in_turn else max(lengths))


def _sum(slots: Sequence[_Slot]) -> float:
    return sum(slot.length for slot in slots)


def _seconds(spec: SessionSpec) -> float:
    return estimate_session(spec).duration_ns / 1e9


def _taken(spec: SessionSpec) -> float:
    """Whole seconds of the diary that a session takes, with the pause after it."""
    return float(math.ceil(_seconds(spec) + GAP.total_seconds()))
