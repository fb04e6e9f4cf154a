"""Which window a moment lies in, and when a window opens, by the node's own wall clock.

Membership is decided by local time, so a window keeps its hours when clocks change: in the hour that runs
twice both passes are inside, in the one that is skipped there is nothing to be inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from probe.plan.model import DAYS, OTHER, Window

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Opening:
    """One stretch of a window: from `opens` up to but without `closes`, both UTC."""

    opens: datetime
    closes: datetime

    def local(self, timezone: str) -> tuple[datetime, datetime]:
        """Both ends on the wall clock of `timezone`."""
        zone = ZoneInfo(timezone)
        return self.opens.astimezone(zone), self.closes.astimezone(zone)


def window_at(windows: Mapping[str, Window], timezone: str, instant: datetime) -> str:
    """The name of the window in which `instant` (any aware time) lies, or `other`."""
    local = instant.astimezone(ZoneInfo(timezone))
    for name, window in windows.items():
        if _contains(window, local):
            return name
    return OTHER


def next_opening(window: Window, timezone: str, after: datetime) -> Opening:
    """The stretch of `window` that is open at `after`, or else the next one."""
    zone = ZoneInfo(timezone)
    today = after.astimezone(zone).date()
    # Yesterday's may still be open past midnight; a week on, every weekday has come round, and a day more
    # covers a zone that skipped one.
    for days in range(-1, 10):
        day = today + days * _DAY
        if DAYS[day.weekday()] not in window.days:
            continue
        opens = _instant(day, window.start, zone, last=False)
        ends_on = day + _DAY if window.end <= window.start else day
        closes = _instant(ends_on, window.end, zone, last=True)
        if closes > after and closes > opens:
            return Opening(opens, closes)
    raise AssertionError("a window opens at least once a week")


def _contains(window: Window, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    today, yesterday = DAYS[local.weekday()], DAYS[(local.weekday() - 1) % 7]
    if window.start < window.end:
        return today in window.days and window.start <= minute < window.end
    return (today in window.days and minute >= window.start) or (
        yesterday in window.days and minute < window.end
    )


def _instant(day: date, minutes: int, zone: ZoneInfo, *, last: bool) -> datetime:
    """When the wall clock of `day` first shows `minutes` after midnight, or stops being before it for good.

    An hour that runs twice counts from its first and to its second pass. A time that is skipped is the
    moment of the change.
    """
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    instant = wall.replace(tzinfo=zone, fold=int(last)).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # Skipped: with the offset after the change the time lies before it; step to the change.
    instant = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while instant.astimezone(zone).replace(tzinfo=None) < wall:
        instant += _MINUTE
    return instant
