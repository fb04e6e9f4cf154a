"""Wait until a window of the plan is open for every node that is measured."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

from probe.errors import ConfigError
from probe.plan.diagnostics import did_you_mean
from probe.plan.loaded import LoadedPlan
from probe.plan.windows import Opening, next_opening
from probe.session.stopping import Stopping


def opening_of(loaded: LoadedPlan, name: str, now: datetime) -> Opening:
    """When window `name` is next open for all real nodes at once, or the last one's own opening.

    Raises ConfigError when the plan has no such window.
    """
    windows = loaded.plan.windows
    if name not in windows:
        raise ConfigError(f"the plan has no window '{name}'{did_you_mean(name, list(windows))}")
    zones = {node.timezone or loaded.plan.timezone for vendor in loaded.plan.vendors for node in vendor.nodes}
    return max((next_opening(windows[name], zone, now) for zone in zones), key=lambda opening: opening.opens)


async def wait_for(
    loaded: LoadedPlan, name: str, stopping: Stopping, tell: Callable[[Opening], None]
) -> None:
    """Return when the window is open, or `stopping` is set. The wall clock is asked again every minute, so
    that a sleeping or corrected clock is noticed."""
    opening = opening_of(loaded, name, datetime.now(UTC))
    tell(opening)
    while (left := (opening.opens - datetime.now(UTC)).total_seconds()) > 0 and not stopping.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), min(left, 60.0))
