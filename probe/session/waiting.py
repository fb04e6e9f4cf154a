"""Wait until a window of the plan is open for every node that is measured."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

from probe.errors import ConfigError
from probe.plan.diagnostics import did_you_mean
from probe.plan.expand import expand
from probe.plan.loaded import LoadedPlan
from probe.plan.windows import Opening, next_opening
from probe.session.stopping import Stopping


def opening_of(loaded: LoadedPlan, name: str, now: datetime, only: str | None = None) -> Opening | None:
    """When window `name` is open for all real nodes that `only` leaves, or for the last of them.

    None when all are emulated: those have no evening to wait for. Raises ConfigError when the plan has no
    such window.
    """
    windows = loaded.plan.windows
    if name not in windows:
        raise ConfigError(f"the plan has no window '{name}'{did_you_mean(name, list(windows))}")
    lanes = expand(loaded.plan, lambda _: name, only)
    zones = {lane.timezone for lane in lanes if lane.role == "vendor" and not lane.node.endpoint.emulated}
    openings = (next_opening(windows[name], zone, now) for zone in zones)
    return max(openings, key=lambda opening: opening.opens, default=None)


async def wait_for(opening: Opening | None, stopping: Stopping) -> None:
    """Return when the window is open, or `stopping` is set. The wall clock is asked again every minute, so
    that a sleeping or corrected clock is noticed."""
    while opening and (left := (opening.opens - datetime.now(UTC)).total_seconds()) > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), min(left, 60.0))
            return
