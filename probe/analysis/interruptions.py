"""What outages and bursts of loss did to a session, and how soon it was good again.

Outages are known where our own weak network made them (`SessionRecord.impairment`), else they are the runs of
loss over all streams. Packets that a congestion-controlled sender of ours gave up (`cc_limited`) are no loss
and no delay of the path: they are counted beside, as is how long after the event it still gave up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from probe.analysis.event import Event
from probe.analysis.fates import Fates, Outcome
from probe.analysis.goodput import ramp_t90
from probe.analysis.one_way import OneWay
from probe.analysis.outage import outages
from probe.analysis.recovery_speed import Baseline, Recovery, baseline, recover
from probe.analysis.series import Series, make_series
from probe.metrics import NEVER, Rows, Times, Unsent
from probe.records import SessionRecord

LEAST_INJECTED_NS = 100_000_000
"""A shorter interruption of ours is jitter (a handover of a radio network)."""
LEAST_OBSERVED_NS = 200_000_000
"""A shorter run of losses freezes no audio."""
MOST_EVENTS = 20
INJECTED, OBSERVED = "injected", "observed"


class Span(NamedTuple):
    """An event on the clock of the direction's departures."""

    kind: str
    started_ns: int
    ended_ns: int


def events(record: SessionRecord, rows: Rows, up: OneWay, down: OneWay, fates: Fates) -> tuple[Event, ...]:
    """The first `MOST_EVENTS` of each direction, by time; none of the sweep of a claim, which is made of loss."""
    if record.claim is not None:
        return ()
    sides = [("up", up, fates.up)]
    if fates.down is not None:
        sides.append(("down", down, fates.down))
    found: list[Event] = []
    for name, way, outcome in sides:
        injected = (record.impairment.get(f"course_{name}") or {}).get("interruptions")
        if not injected and not outcome.lost.any():
            continue
        series = whole_series(record, rows, way, outcome)
        if series is None:
            continue
        spans, source = _injected(record, name, series), INJECTED
        if not spans:
            spans, source = _observed(series), OBSERVED
        found += _Way(name, source, record, rows, series).events(spans)
    return tuple(sorted(found, key=lambda event: event.started_ms))


def whole_series(record: SessionRecord, rows: Rows, way: OneWay, outcome: Outcome) -> Series | None:
    """All streams of a direction as one, by departure; None without an arrival."""
    chosen = np.flatnonzero(outcome.population & (way.departed != NEVER))
    chosen = chosen[np.argsort(way.departed[chosen], kind="stable")]
    crossed = np.flatnonzero(way.excess != NEVER)
    if not len(chosen) or not len(crossed):
        return None
    one = int(crossed[0])
    least = int(way.arrived[one] - way.departed[one] - way.excess[one])
    mended = way.repair_excess[chosen]
    return make_series(
        np.arange(len(chosen)),
        way.departed[chosen],
        np.where(outcome.lost[chosen], NEVER, way.arrived[chosen]),
        interval_ns=max(1, round(record.duration_ns / (record.packets * record.calls))),
        size=rows["size"][chosen].astype(np.int64),
        repaired_ns=np.where(mended == NEVER, NEVER, mended + way.departed[chosen] + least),
        least_ns=least,
    )


def _injected(record: SessionRecord, name: str, series: Series) -> list[Span]:
    """Our own interruptions within the stream. They are on our clock, at the place of our relay: the way up
    departs there, and what comes down passes it the least delay before it is here."""
    course = record.impairment.get(f"course_{name}") or {}
    shift = int(course.get("least_delay_ns", 0)) - (series.least_ns or 0) if name == "down" else 0
    spans = [
        Span(str(one["kind"]), int(one["begin_ns"]) + shift, int(one["end_ns"]) + shift)
        for one in course.get("interruptions", ())
    ]
    first, last = int(series.sent_ns[0]), series.end_ns
    return [
        span
        for span in spans
        if span.ended_ns - span.started_ns >= LEAST_INJECTED_NS
        and span.ended_ns > first
        and span.started_ns < last
    ]


def _observed(series: Series) -> list[Span]:
    return [Span("loss", one.started_ns, one.ended_ns) for one in outages(series, LEAST_OBSERVED_NS)]


class _Way:
    """One direction with its events, each of which ends where the next begins."""

    def __init__(self, name: str, source: str, record: SessionRecord, rows: Rows, series: Series) -> None:
        self._name, self._source, self._series = name, source, series
        self._deadline_ns, self._interval_ns = record.deadline_ns, record.interval_ns
        due = rows["scheduled_ns"]
        known = due != NEVER if name == "up" else np.zeros(len(rows), np.bool_)
        self._absent = np.sort(due[known & (rows["unsent"] != Unsent.SENT)])
        self._given_up = np.sort(due[known & (rows["unsent"] == Unsent.CC_LIMITED)])
        # Departures of the way down are the node's clock: its first packet stands for the session's begin.
        began = due[due != NEVER].min(initial=np.iinfo(np.int64).max)
        self._began_ns = int(began) if name == "up" else int(series.sent_ns[0])

    def events(self, spans: Sequence[Span]) -> Iterator[Event]:
        """In order; the usual is what was before the first."""
        if not spans:
            return
        usual = baseline(self._series, self._deadline_ns, spans[0].started_ns)
        ends = [*(span.started_ns for span in spans[1:]), None]
        for span, until_ns in list(zip(spans, ends, strict=True))[:MOST_EVENTS]:
            yield self._event(span, self._until(until_ns), usual)

    def _until(self, until_ns: int | None) -> Series:
        if until_ns is None:
            return self._series
        return self._series.rows(0, int(np.searchsorted(self._series.departed(), until_ns, "left")))

    def _event(self, span: Span, series: Series, usual: Baseline | None) -> Event:
        departed = series.departed()
        within = slice(*np.searchsorted(departed, (span.started_ns, span.ended_ns), "left").tolist())
        lost = int(np.count_nonzero(series.lost[within]))
        offered = within.stop - within.start
        absent = _within(self._absent, span.started_ns, span.ended_ns)
        after = _within(self._given_up, span.ended_ns, series.end_ns)
        length = span.ended_ns - span.started_ns
        enough = 2 * (offered + len(absent)) * series.interval_ns >= length
        by_loss = (lost + len(absent)) * series.interval_ns if enough and span.kind != "hold" else None
        by_time = _silence(series, span)
        found = self._recovery(series, span, usual)
        ramp = ramp_t90(series, span.started_ns, span.ended_ns) if series.size is not None else None
        return Event(
            way=self._name,
            source=self._source,
            kind=span.kind,
            started_ms=(span.started_ns - self._began_ns) / 1e6,
            length_ms=length / 1e6,
            lost=lost,
            unsent=len(_within(self._given_up, span.started_ns, series.end_ns)),
            by_loss_ms=None if by_loss is None else by_loss / 1e6,
            by_time_ms=None if by_time is None else by_time / 1e6,
            agree=_agree(by_loss, by_time, usual, self._interval_ns + series.interval_ns),
            time_to_recover_ms=found.time_to_recover_ns / 1e6 if found else None,
            observed_ms=max(0, series.end_ns - span.ended_ns) / 1e6,
            **_caught_up(found),
            ramp_t90_ms=None if ramp is None else ramp / 1e6,
            limited_ms=float(after[-1] - span.ended_ns) / 1e6 if len(after) else None,
        )

    def _recovery(self, series: Series, span: Span, usual: Baseline | None) -> Recovery | None:
        if usual is None:
            return None
        return recover(series, span.started_ns, span.ended_ns, deadline_ns=self._deadline_ns, usual=usual)


def _within(times: Times, start_ns: int, end_ns: int) -> Times:
    """Of sorted times those from the start to before the end."""
    first, last = np.searchsorted(times, (start_ns, end_ns), "left")
    return times[first:last]


def _caught_up(found: Recovery | None) -> dict[str, float | None]:
    """By the names of `Event`."""
    names = ("catch_up_ms", "detection_ms", "repair_ms", "drain_ms")
    if found is None or found.catch_up is None:
        return dict.fromkeys(names)
    parts = found.catch_up
    values = (parts.whole_ns, parts.detection_ns, parts.repair_ns, parts.drain_ns)
    return {name: value / 1e6 for name, value in zip(names, values, strict=True)}


def _silence(series: Series, span: Span) -> int | None:
    """The longest time without an arrival of any copy, of those that reach into the event (RFC 6201 2).

    An event is at the receiver the smallest delay later. None where nothing came before, or after.
    """
    arrivals = np.sort(np.r_[series.received_ns[series.order], _repairs(series)])
    least = series.least_ns or 0
    first = int(np.searchsorted(arrivals, span.started_ns + least, "left")) - 1
    last = int(np.searchsorted(arrivals, span.ended_ns + least, "left"))
    if first < 0 or last >= len(arrivals):
        return None
    return int(np.diff(arrivals[first : last + 1]).max())


def _repairs(series: Series) -> Times:
    repaired = series.repaired_ns
    return np.zeros(0, np.int64) if repaired is None else repaired[repaired != NEVER]


def _agree(by_loss: int | None, by_time: int | None, usual: Baseline | None, spacing_ns: int) -> bool | None:
    """Whether both lengths are the spacing of packets and the usual variation apart at most (RFC 6412 3.6)."""
    if by_loss is None or by_time is None or usual is None:
        return None
    return abs(by_time - by_loss) <= spacing_ns + usual.p95_ns
