"""A run in the test's own event loop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probe.analysis.results import Assessment, SessionSummary
from probe.plan.load import load_plan
from probe.report.document import document
from probe.session.progress import Event, SessionFinished, SessionProgress
from probe.session.run import RunOptions, prepare, run_plan
from probe.session.stopping import Stopping


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
