"""The name of a run: when it started, and enough chance that two vantages never agree on one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from random import Random

_STAMP = "%Y%m%dT%H%M%SZ"
_STAMP_WIDTH = len("20261122T193000Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def new_run_id(now: datetime, random: Random) -> str:
    """A run id such as `20261122T193000Z-ab12cd`: sorts by time, 24 random bits behind.

    `now` must be aware of its zone; `random` should not be the run's own seeded generator, or the
    same seed in the same second gives the same id.
    """
    if now.tzinfo is None:
        raise ValueError("a run id needs an aware date and time")
    return f"{now.astimezone(UTC).strftime(_STAMP)}-{random.getrandbits(24):06x}"


def is_run_id(text: str) -> bool:
    """Whether `text` can name a run: one path component, safe in a file name everywhere."""
    return _NAME.fullmatch(text) is not None


def start_of(run_id: str) -> datetime | None:
    """When the run of this id started (UTC), or None for an id that does not say."""
    try:
        return datetime.strptime(run_id[:_STAMP_WIDTH], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
