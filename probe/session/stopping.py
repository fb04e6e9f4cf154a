"""A request to end the run early, seen by everything that waits."""

from __future__ import annotations

import asyncio
import signal

from probe.records import Json


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

    def error(self) -> Json:
        """What the record of a session keeps that was stopped by this."""
        return {"code": "interrupted"} | ({"signal": self.by.name} if self.by else {})
