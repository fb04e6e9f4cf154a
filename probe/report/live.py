"""Progress of a run: a live view on a terminal, heartbeat lines in a pipe, nothing when quiet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from probe.records import COMPLETED
from probe.report.header import EMULATED, EMULATED_STYLE
from probe.report.labels import one_line
from probe.report.outcome_reasons import outcome_sentence
from probe.report.tally import Tally
from probe.report.words import Word
from probe.session.progress import Event, RunStarted, SessionFinished, SessionProgress

HEARTBEAT_S = 30.0
_REFRESH_HZ = 4
_BAR_WIDTH = 24
_DONE, _BROKEN = Word("✓", "measured", "green"), Word("!", "not measured", "yellow")

Clock = Callable[[], float]


class Silent:
    """Tells nothing. A context manager, and a listener of progress events, as all views here."""

    def __call__(self, event: Event) -> None:
        """Take one event."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the view away."""


class Heartbeat(Silent):
    """Lines for a log: one at the start, one a finished session, and one every 30 s in between."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._tally = Tally(clock)
        self._told = clock()

    def __call__(self, event: Event) -> None:
        self._tally(event)
        match event:
            case RunStarted():
                self._say(start_line(event, self._tally))
            case SessionFinished():
                self._say(finish_line(event, self._tally))
            case _ if self._clock() - self._told >= HEARTBEAT_S:
                self._say(Text(f"{self._tally.summary()}; {self._tally.underway()}"))

    def _say(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)
        self._told = self._clock()


class LiveView(Silent):
    """One row a running session, with the time left; sessions that went wrong stay as lines above."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console = console
        self._tally = Tally(clock)
        self._title = Text("")
        self._live = Live(
            console=console,
            get_renderable=self.render,
            refresh_per_second=_REFRESH_HZ,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        self._tally(event)
        if isinstance(event, RunStarted):
            self._title = start_line(event, self._tally)
            self._console.print(self._title)
        elif isinstance(event, SessionFinished) and event.record.outcome != COMPLETED:
            self._console.print(finish_line(event, self._tally))

    def render(self) -> RenderableType:
        """What is on the screen now."""
        rows = Table.grid(padding=(0, 2))
        rows.add_column(no_wrap=True, overflow="ellipsis")
        rows.add_column(no_wrap=True, style="dim")
        rows.add_column()
        rows.add_column(no_wrap=True, justify="right")
        for progress in self._tally.active():
            bar = ProgressBar(total=max(progress.scheduled, 1), completed=progress.sent, width=_BAR_WIDTH)
            rows.add_row(one_line(progress.record), progress.phase, bar, numbers(progress))
        return Group(rows, Text(self._tally.summary(), style="bold"))


def progress_view(console: Console, *, quiet: bool = False, clock: Clock = time.monotonic) -> Silent:
    """The view that fits: FORCE_COLOR makes no terminal of a pipe."""
    if quiet:
        return Silent()
    if console.file.isatty() and os.environ.get("TERM", "") not in ("dumb", ""):
        return LiveView(console, clock)
    return Heartbeat(console, clock)


def start_line(event: RunStarted, tally: Tally) -> Text:
    """`Indonesia: run 2026...-ab12cd, 24 sessions, about 1:20 min`."""
    text = Text(f"{event.title}: run {event.run_id}, {tally.expected()}")
    return text.append(f"  {EMULATED}", style=EMULATED_STYLE) if event.emulated else text


def finish_line(event: SessionFinished, tally: Tally) -> Text:
    """`[5/24] ✓ alpha/jkt-1 voice clean peak udp: 1500 sent, 1489 back`."""
    record = event.record
    word = _DONE if record.outcome == COMPLETED else _BROKEN
    told = outcome_sentence(record) or tally.result(record)
    head = f"[{tally.finished}/{tally.sessions}] "
    return Text.assemble(head, (word.mark, word.style), f" {one_line(record)}: {told}")


def numbers(progress: SessionProgress) -> str:
    """`930 of 1500 sent, 921 back`."""
    back = "" if progress.record.one_way else f", {progress.received} back"
    return f"{progress.sent} of {progress.scheduled} sent{back}"
