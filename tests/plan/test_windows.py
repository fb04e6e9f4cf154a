from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.plan.model import Window
from probe.plan.windows import next_opening, window_at

WINDOWS = {
    "peak": Window.model_validate({"start": "19:00", "end": "23:00"}),
    "offpeak": Window.model_validate({"start": "04:00", "end": "08:00"}),
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(start: str, end: str, **more: Any) -> Window:
    return Window.model_validate({"start": start, "end": end, **more})


@pytest.mark.parametrize(
    ("instant", "name"),
    [
        ("2026-11-22T11:59:59", "other"),
        ("2026-11-22T12:00:00", "peak"),  # 19:00 in Jakarta
        ("2026-11-22T15:59:59", "peak"),
        ("2026-11-22T16:00:00", "other"),
        ("2026-11-22T21:00:00", "offpeak"),
        ("2026-11-23T01:00:00", "other"),
    ],
)
def test_a_moment_lies_in_the_window_of_the_local_clock(instant: str, name: str) -> None:
    assert window_at(WINDOWS, "Asia/Jakarta", at(instant)) == name


def test_a_window_over_midnight_belongs_to_the_day_it_opens() -> None:
    late = {"late": window("22:00", "02:00", days=["sat"])}
    # 2026-11-21 is a Saturday
    assert window_at(late, "UTC", at("2026-11-21T01:00")) == "other"
    assert window_at(late, "UTC", at("2026-11-21T22:00")) == "late"
    assert window_at(late, "UTC", at("2026-11-22T01:59")) == "late"
    assert window_at(late, "UTC", at("2026-11-22T02:00")) == "other"
    assert window_at(late, "UTC", at("2026-11-22T23:00")) == "other"


def test_a_whole_day() -> None:
    day = {"all": window("00:00", "24:00", days=["sun"])}
    assert window_at(day, "Asia/Jakarta", at("2026-11-21T17:00")) == "all"
    assert window_at(day, "Asia/Jakarta", at("2026-11-22T17:00")) == "other"
    opening = next_opening(day["all"], "Asia/Jakarta", at("2026-11-20T00:00"))
    assert opening.closes - opening.opens == timedelta(days=1)


def test_clocks_change_and_the_window_keeps_its_hours() -> None:
    # New York changes on 2026-11-01: 19:00 is 23:00 UTC before, 00:00 UTC after.
    peak = WINDOWS["peak"]
    assert next_opening(peak, "America/New_York", at("2026-10-31T12:00")).opens == at("2026-10-31T23:00")
    assert next_opening(peak, "America/New_York", at("2026-11-01T12:00")).opens == at("2026-11-02T00:00")


def test_the_hour_that_runs_twice_is_inside_twice() -> None:
    # Berlin, 2026-10-25: 02:00-03:00 runs at 00:00 and again at 01:00 UTC.
    night = {"night": window("02:00", "03:00")}
    opening = next_opening(night["night"], "Europe/Berlin", at("2026-10-24T12:00"))
    assert (opening.opens, opening.closes) == (at("2026-10-25T00:00"), at("2026-10-25T02:00"))
    assert window_at(night, "Europe/Berlin", at("2026-10-25T00:30")) == "night"
    assert window_at(night, "Europe/Berlin", at("2026-10-25T01:30")) == "night"


def test_the_hour_that_is_skipped_opens_at_the_change() -> None:
    # Berlin, 2026-03-29: 02:00 becomes 03:00 at 01:00 UTC.
    opening = next_opening(window("02:30", "04:00"), "Europe/Berlin", at("2026-03-28T12:00"))
    assert (opening.opens, opening.closes) == (at("2026-03-29T01:00"), at("2026-03-29T02:00"))
    # A window that lies wholly inside has no opening that day.
    opening = next_opening(window("02:10", "02:50"), "Europe/Berlin", at("2026-03-28T12:00"))
    assert opening.opens == at("2026-03-30T00:10")


def test_an_open_window_is_its_own_next_opening() -> None:
    opening = next_opening(WINDOWS["peak"], "Asia/Jakarta", at("2026-11-22T13:00"))
    assert opening.opens == at("2026-11-22T12:00")
    local = opening.local("Asia/Jakarta")
    assert [item.isoformat() for item in local] == ["2026-11-22T19:00:00+07:00", "2026-11-22T23:00:00+07:00"]
    assert next_opening(WINDOWS["peak"], "Asia/Jakarta", opening.closes).opens == at("2026-11-23T12:00")


def test_days_are_waited_for() -> None:
    sundays = window("19:00", "23:00", days=["sun"])
    assert next_opening(sundays, "UTC", at("2026-11-23T00:00")).opens == at("2026-11-29T19:00")


ZONES = ("Asia/Jakarta", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns")


@pytest.mark.slow
@settings(max_examples=150)
@given(
    st.integers(0, 24 * 60 - 1),
    st.integers(0, 24 * 60),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001
)
def test_openings_and_membership_agree(start: int, end: int, timezone: str, moment: datetime) -> None:
    if start == end:
        return
    found = {"w": Window.model_construct(start=start, end=end)}
    now = moment.replace(tzinfo=UTC, second=0, microsecond=0)
    opening = next_opening(found["w"], timezone, now)
    inside = window_at(found, timezone, now) == "w"
    assert inside == (opening.opens <= now < opening.closes)
    assert window_at(found, timezone, opening.opens) == "w"
    assert window_at(found, timezone, opening.closes - timedelta(minutes=1)) == "w"
    if end % (24 * 60) != start:
        assert window_at(found, timezone, opening.opens - timedelta(minutes=1)) == "other"
        assert window_at(found, timezone, opening.closes) == "other"
