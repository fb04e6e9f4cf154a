"""How late an event loop comes round: a timer that measures its own overshoot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PERIOD_S = 0.05


class Canary:
    """Tells `note` every PERIOD_S by how many nanoseconds the running event loop was late."""

    def __init__(self, note: Callable[[int], None]) -> None:
        self._note, self._loop = note, asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._due = self._loop.time() + PERIOD_S
        self._timer = self._loop.call_at(self._due, self._beat)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        self._note(int((self._loop.time() - self._due) * 1e9))
        self.start()
