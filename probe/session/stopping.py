"""A request to end the run early, seen by everything that waits."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from probe.records import Json


class CutOff(Exception):
    """What was under way took too long after the run was stopped."""


class Stopping:
    """Set once. `by` is the signal that asked for it; None when a failure of the run itself did."""

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self._event = asyncio.Event()

    def set(self, by: signal.Signals | None = None) -> None:
        self.by = self.by or by
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        """Return once it is set."""
        await self._event.wait()

    @asynccontextmanager
    async def cutting_off(self, grace_s: float) -> AsyncIterator[None]:
        """Cancel the block when it goes on `grace_s` after the stop; raises CutOff then."""
        try:
            async with asyncio.timeout(None) as limit:
                watching = asyncio.create_task(self._reschedule(limit, grace_s))
                try:
                    yield
                finally:
                    watching.cancel()
        except TimeoutError:
            if limit.expired():
                raise CutOff from None
            raise

    async def _reschedule(self, limit: asyncio.Timeout, grace_s: float) -> None:
        await self._event.wait()
        limit.reschedule(asyncio.get_running_loop().time() + grace_s)

    def error(self) -> Json:
        """What the record of a session keeps that was stopped by this."""
        return {"code": "interrupted"} | ({"signal": self.by.name} if self.by else {})
