"""The diary of a campaign: sessions inside their windows, one at a time a node, the same for the same seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.errors import ConfigError
from probe.plan.load import load_plan
from probe.plan.model import Plan
from probe.plan.windows import window_at
from probe.session.diary import Appointment, make_diary, standing

PLAN = """
version: 1
country: DE
timezone: {zone}
windows:
  peak: {{start: "{peak}", end: "{until}"}}
  offpeak: {{start: 02:00, end: 06:00}}
controls:
  - {{name: own, endpoint: emulated, path: {{peak: 4g-day, offpeak: 4g-day}}}}
vendors:
  - name: alpha
    nodes:
      - {{name: a-1, endpoint: emulated, path: {{peak: 4g-day, offpeak: 4g-day}}}}
      - {{name: a-2, endpoint: emulated, timezone: Asia/Tokyo, path: {{peak: 4g-day, offpeak: 4g-day}}}}
  - name: beta
    nodes: [{{name: b-1, endpoint: emulated, path: {{peak: 4g-day, offpeak: 4g-day}}}}]
scenarios:
  voice: {{preset: voice, duration: {duration}}}
matrix:
  - {{scenarios: [voice], repeat: {repeat}}}
"""
ZONES = {"a-1": "Europe/Berlin", "a-2": "Asia/Tokyo", "b-1": "Europe/Berlin", "own": "Europe/Berlin"}


def plan(
    folder: Path, *, peak: str = "19:00", until: str = "23:00", repeat: int = 6, duration: str = "30s"
) -> Plan:
    path = folder / "plan.yaml"
    text = PLAN.format(zone="Europe/Berlin", peak=peak, until=until, repeat=repeat, duration=duration)
    path.write_text(text)
    return load_plan(str(path)).plan


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan(tmp_path_factory.mktemp("usual"))


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Windows past midnight, and full: a third of each is measured."""
    return plan(tmp_path_factory.mktemp("late"), peak="22:30", until="00:30", repeat=20)


def check(asked: Plan, diary: list[Appointment]) -> None:
    by_node: dict[str, list[Appointment]] = {}
    for one in diary:
        by_node.setdefault(one.node, []).append(one)
        last = one.starts + timedelta(seconds=one.seconds) - timedelta(microseconds=1)
        for moment in (one.starts, last, one.latest):
            assert window_at(asked.windows, ZONES[one.node], moment) == one.window
    for sessions in by_node.values():
        for one, following in pairwise(sessions):
            assert following.starts >= one.starts + timedelta(seconds=one.seconds)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    start=st.integers(1_767_225_600, 1_827_000_000),
    days=st.integers(1, 4),
)
def test_sessions_lie_inside_their_windows_and_never_overlap(
    usual: Plan, late: Plan, seed: int, start: int, days: int
) -> None:
    begins = datetime.fromtimestamp(start, UTC)
    for asked in (usual, late):
        diary = make_diary(asked, seed, begins, days)
        check(asked, diary)
        assert diary == make_diary(asked, seed, begins, days)
        assert [one.index for one in diary] == list(range(len(diary)))
        assert all(begins <= one.starts < begins + timedelta(days=days) for one in diary)


def test_whole_days_hold_the_matrix_once_a_window(usual: Plan) -> None:
    start = datetime(2026, 11, 2, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    diary = make_diary(usual, 1, start, 7)
    mine = [one for one in diary if ZONES[one.node] == "Europe/Berlin"]
    assert len(mine) == 3 * 2 * 6 * 7
    assert make_diary(usual, 2, start, 7) != diary


@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24"])
def test_windows_keep_their_hours_when_clocks_change(usual: Plan, day: str) -> None:
    """02:00 to 06:00 is three hours long in one of these nights and five in the other."""
    start = datetime.fromisoformat(f"{day}T12:00+01:00")
    diary = make_diary(usual, 5, start, 2)
    check(usual, diary)
    night = [one for one in diary if one.window == "offpeak" and one.node == "b-1"]
    assert len({one.day for one in night}) == 2
    assert len(night) == 12


def test_nodes_of_a_zone_measure_one_after_the_other(usual: Plan) -> None:
    diary = make_diary(usual, 3, datetime(2026, 11, 2, tzinfo=UTC), 3)
    local = [one for one in diary if ZONES[one.node] == "Europe/Berlin"]
    for one, following in pairwise(local):
        assert following.starts >= one.starts + timedelta(seconds=one.seconds)
    first = [one.vendor for one in local[::3]]
    assert len(set(first)) == 3, "no vendor is always first"


def test_a_window_too_short_is_a_sentence(tmp_path: Path) -> None:
    asked = plan(tmp_path, repeat=1000)
    with pytest.raises(ConfigError, match=r"min of sessions a node in the window '\w+', which is open for"):
        make_diary(asked, 1, datetime(2026, 11, 2, tzinfo=UTC), 1)


def test_what_was_missed_is_not_made_up_for(usual: Plan) -> None:
    start = datetime(2026, 11, 2, tzinfo=UTC)
    diary = make_diary(usual, 1, start, 2)
    found = standing(diary, {diary[0].index, diary[3].index}, start + timedelta(days=1))
    assert [one.index for one in found.done] == [0, 3]
    assert {one.index for one in found.missed} & {0, 3} == set()
    assert all(one.latest < start + timedelta(days=1) for one in found.missed)
    assert len(found.done) + len(found.missed) + len(found.to_come) == len(diary)
    # A clock that is set back makes nothing due that is done.
    assert found.done == standing(diary, {0, 3}, start).done


def test_a_diary_is_read_back_as_it_was_written(usual: Plan) -> None:
    diary = make_diary(usual, 1, datetime(2026, 11, 2, tzinfo=UTC), 1)
    assert [Appointment.from_json(one.to_json()) for one in diary] == diary
