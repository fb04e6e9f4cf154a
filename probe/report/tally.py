"""How far a run is: counted from its progress events."""

from __future__ import annotations

from collections.abc import Callable

from probe.records import SessionRecord
from probe.report.labels import one_line
from probe.report.numbers import duration, plural
from probe.session.progress import Event, RunStarted, SessionProgress

NAMED = 4
"""Sessions named in a heartbeat; a run of a hundred nodes has a line to read, too."""


class Tally:
    """`sessions` to come in all, `finished` of them. `clock` gives seconds that only go forward."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._expected_s = 0.0
        self._latest: dict[int, SessionProgress] = {}
        self._results: dict[int, SessionProgress] = {}
        self.sessions = self.finished = 0

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._started, self._expected_s = self._clock(), event.expected_s
                self.sessions = event.sessions
            case SessionProgress():
                self._latest[event.record.index] = event
            case _:
                self.finished += 1
                last = self._latest.pop(event.record.index, None)
                if last is not None:
                    self._results[event.record.index] = last

    def active(self) -> list[SessionProgress]:
        """The sessions under way, in the order of their numbers."""
        return [self._latest[index] for index in sorted(self._latest)]

    def underway(self) -> str:
        """`measuring alpha/jkt-1 voice clean peak udp (62 %)`."""
        told = [f"{one_line(now.record)} ({_state(now)})" for now in self.active()]
        more = [f"{len(told) - NAMED} more"] if len(told) > NAMED else []
        return f"measuring {', '.join(told[:NAMED] + more)}" if told else "between sessions"

    def result(self, record: SessionRecord) -> str:
        """What a finished session sent and got back; the node's side of it is not known yet."""
        last = self._results.get(record.index)
        if last is None:
            return "measured"
        back = "" if record.one_way else f", {last.received} back"
        return f"{last.sent} sent{back}"

    def expected(self) -> str:
        """`24 sessions, about 1:20 min`."""
        return f"{plural(self.sessions, 'session')}, about {duration(self._expected_s)}"

    def summary(self) -> str:
        """`5 of 24 sessions, about 1:05 min left`."""
        left = self.seconds_left()
        time = f"about {duration(left)} left" if left >= 1 else "nearly done"
        return f"{self.finished} of {plural(self.sessions, 'session')}, {time}"

    def seconds_left(self) -> float:
        """From the time expected; once that is over, from the pace so far."""
        elapsed = self._clock() - self._started
        if elapsed < self._expected_s:
            return self._expected_s - elapsed
        share = self._share()
        return elapsed * (1 - share) / share if share else 0.0

    def _share(self) -> float:
        parts = sum(now.sent / now.scheduled for now in self.active() if now.scheduled)
        return min((self.finished + parts) / self.sessions, 1.0) if self.sessions else 0.0


def _state(now: SessionProgress) -> str:
    if now.phase == "sending" and now.scheduled:
        return f"{100 * now.sent // now.scheduled} %"
    return now.phase
