"""Progress: a live view on a terminal, lines in a pipe, silence when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from probe.records import COMPLETED, SessionRecord
from probe.report.live import HEARTBEAT_S, Heartbeat, LiveView, Silent, progress_view
from probe.report.tally import Tally
from probe.session.progress import Event, RunStarted, SessionFinished, SessionProgress
from tests.report.samples import RUN, record

STARTED = RunStarted(RUN, "Indonesia", 2, 80.0, emulated=True)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class Time:
    """A clock that only a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def sending(of: SessionRecord, sent: int, received: int = 0, phase: str = "sending") -> SessionProgress:
    return SessionProgress(of, phase, 1500, sent, received)


def told(events: Iterator[tuple[float, Event]]) -> list[str]:
    """The lines of a heartbeat for events that come after so many seconds."""
    console, time = Console(file=StringIO(), width=160), Time()
    view = Heartbeat(console, time)
    for after, event in events:
        time.now += after
        view(event)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_a_pipe_gets_a_line_at_the_start_and_one_a_finished_session() -> None:
    first, second = record(index=0), record(index=1, vendor="beta", outcome="died")
    events: list[tuple[float, Event]] = [
        (0, STARTED),
        (5, sending(first, 700, 690)),
        (5, sending(first, 1500, 1489)),
        (1, SessionFinished(first)),
        (1, SessionFinished(second)),
    ]
    assert told(iter(events)) == [
        f"Indonesia: run {RUN}, 2 sessions, about 1:20 min  EMULATED",
        "[1/2] ✓ alpha/jkt-1 voice clean peak udp: 1500 sent, 1489 back",
        "[2/2] ! beta/jkt-1 voice clean peak udp: The node stopped answering.",
    ]


def test_a_pipe_gets_a_heartbeat_every_thirty_seconds_and_not_more() -> None:
    now = record()
    events: list[tuple[float, Event]] = [(0, STARTED)]
    events += [(0.25, sending(now, sent)) for sent in range(250)]
    lines = told(iter(events))
    assert len(lines) - 1 == int(250 * 0.25 // HEARTBEAT_S)
    assert lines[1] == ("0 of 2 sessions, about 50 s left; measuring alpha/jkt-1 voice clean peak udp (7 %)")


def test_a_heartbeat_of_many_nodes_is_still_a_line() -> None:
    tally = Tally(Time())
    for index in range(10):
        tally(sending(record(index=index, node=f"n-{index}"), 750))
    assert tally.underway().endswith("alpha/n-3 voice clean peak udp (50 %), 6 more")


def test_one_way_sessions_tell_nothing_about_the_way_back() -> None:
    now = record(one_way=True)
    events: list[tuple[float, Event]] = [(0, sending(now, 1500)), (0, SessionFinished(now))]
    assert told(iter(events))[-1].endswith("udp: 1500 sent")


def test_a_terminal_gets_a_row_a_running_session_and_the_time_left() -> None:
    console, time = Console(file=Terminal(), width=120, force_terminal=True), Time()
    view = LiveView(console, time)
    view(STARTED)
    view(sending(record(index=0), 930, 921))
    view(sending(record(index=1, vendor="beta"), 0, phase="connecting"))
    time.now += 15
    with console.capture() as screen:
        console.print(view.render())
    text = screen.get()
    assert "alpha/jkt-1 voice clean peak udp" in text
    assert "930 of 1500 sent, 921 back" in text
    assert "connecting" in text
    assert "0 of 2 sessions, about 1:05 min left" in text


def test_a_terminal_keeps_what_went_wrong() -> None:
    terminal = Terminal()
    with LiveView(Console(file=terminal, width=120, force_terminal=True)) as view:
        view(STARTED)
        view(SessionFinished(record(outcome=COMPLETED)))
        view(SessionFinished(record(outcome="unreachable")))
    assert "The node did not answer." in terminal.getvalue()
    assert "✓" not in terminal.getvalue()


def test_quiet_is_silent() -> None:
    terminal = Terminal()
    with progress_view(Console(file=terminal), quiet=True) as view:
        view(STARTED)
        view(SessionFinished(record()))
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(
    ("file", "term", "kind"),
    [
        (Terminal(), "xterm-256color", LiveView),
        (Terminal(), "dumb", Heartbeat),
        (StringIO(), "xterm-256color", Heartbeat),
    ],
)
def test_only_a_real_terminal_is_animated(
    monkeypatch: pytest.MonkeyPatch, file: StringIO, term: str, kind: type[Silent]
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert type(progress_view(Console(file=file))) is kind


def test_time_left_follows_the_plan_and_then_the_pace() -> None:
    time = Time()
    tally = Tally(time)
    tally(STARTED)
    now = record()
    time.now += 20
    assert tally.seconds_left() == pytest.approx(60.0)
    tally(sending(now, 1500))
    tally(SessionFinished(now))
    time.now += 80
    assert tally.seconds_left() == pytest.approx(100.0)  # half took 100 s
    other = replace(now, index=1)
    tally(sending(other, 1500))
    tally(SessionFinished(other))
    assert tally.seconds_left() == 0.0
    assert tally.summary() == "2 of 2 sessions, nearly done"


def test_a_session_that_never_began_is_finished_too() -> None:
    tally = Tally(Time())
    tally(STARTED)
    tally(SessionFinished(record()))
    assert tally.finished == 1
    assert tally.underway() == "between sessions"
