"""A run in the test's own event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probe.analysis.results import Assessment, SessionSummary
from probe.plan.load import load_plan
from probe.report.document import document
from probe.session.progress import Event, SessionFinished, SessionProgress
from probe.session.run import RunOptions, prepare, run_plan
from probe.session.stopping import Stopping
from tests.nodes import children


@dataclass
class Measured:
    """What a run came to, and what it told on the way."""

    assessment: Assessment
    events: list[Event]
    results: Path

    @property
    def sessions(self) -> tuple[SessionSummary, ...]:
        return self.assessment.sessions

    @property
    def session(self) -> SessionSummary:
        (only,) = self.sessions
        return only

    def last_told(self, index: int = 0) -> SessionProgress:
        """The last progress of a session before it was finished."""
        mine = [
            event for event in self.events if getattr(getattr(event, "record", None), "index", -1) == index
        ]
        assert isinstance(mine[-1], SessionFinished)
        assert isinstance(mine[-2], SessionProgress)
        return mine[-2]


async def measure(
    plan: Path,
    results: Path,
    stopping: Stopping | None = None,
    events: list[Event] | None = None,
    **options: Any,
) -> Measured:
    """`options` are those of RunOptions."""
    heard: list[Event] = [] if events is None else events
    loaded, chosen = prepare(load_plan(plan), RunOptions(results=results, **options))
    assessment = await run_plan(loaded, chosen, heard.append, stopping or Stopping(), document)
    return Measured(assessment, heard, results)


class Trigger(list[Event]):
    """Events of a run that `act` once, some packets into the first long session."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act

    def append(self, event: Event) -> None:
        super().append(event)
        if self._act and isinstance(event, SessionProgress) and event.scheduled > 100 and event.sent > 10:
            act, self._act = self._act, None
            act()


async def once_sending(
    plan: Path, results: Path, act: Callable[[], None], stopping: Stopping | None = None
) -> Measured:
    """Run `plan` and `act` some packets into a session; all of it within half a minute."""
    async with asyncio.timeout(30):
        return await measure(plan, results, stopping, Trigger(act))


def our_own(entry: str) -> list[int]:
    """Processes that the run under test started, by a part of their command line."""
    return [
        pid for pid in children(os.getpid()) if entry.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
