"""A loop that was kept busy comes round late, and its canary says by how much."""

from __future__ import annotations

import asyncio
import time

from probe.net.canary import PERIOD_S, Canary


async def test_a_blocked_loop_is_noticed() -> None:
    noted: list[int] = []
    canary = Canary(noted.append)
    canary.start()
    await asyncio.sleep(0)
    time.sleep(PERIOD_S + 0.1)  # noqa: ASYNC251 - that is the fault
    while not noted:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert noted[0] >= 100_000_000
    canary.stop()
    heard = len(noted)
    await asyncio.sleep(2 * PERIOD_S)
    assert len(noted) == heard
