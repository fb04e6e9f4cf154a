"""Series from a trace of arrivals, and from the stored packets of a session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from probe.analysis.delay import Indices, Integers
from probe.analysis.fates import Outcome, fates_of
from probe.analysis.one_way import OneWay, departure_numbers, directions
from probe.analysis.series import BEYOND, MAX_HOLES, Series, least_delay, make_series
from probe.metrics import NEVER, T_MAX_NS, Rows, Times
from probe.records import SessionRecord


def unwrap_sequence(seq: NDArray[np.uint16]) -> Integers:
    """RTP sequence numbers in order of arrival, counted on over their wraps (RFC 3550 A.1).

    Each step is the shortest way round, so a packet may be up to 2^15 numbers early or late.
    """
    if len(seq) == 0:
        return np.zeros(0, np.int64)
    steps = np.diff(seq.astype(np.uint16)).view(np.int16)
    numbers: Integers = int(seq[0]) + np.r_[0, np.cumsum(steps, dtype=np.int64)]
    return numbers


def from_arrivals(
    seq: Integers,
    sent_ns: Times,
    received_ns: Times,
    *,
    size: Integers | None = None,
    unit: Integers | None = None,
    interval_ns: int | None = None,
    t_max_ns: int = T_MAX_NS,
) -> Series:
    """From a row a packet seen, in the order of sending or of arrival.

    `received_ns` `NEVER` is lost, a repeated number is a duplicate of which the first copy counts, and
    a number without a row between the first and the last is lost: its time of sending is interpolated.
    More than `t_max_ns` above the smallest delay is lost too (RFC 7680). ValueError of one sentence for
    a trace that cannot be one stream.
    """
    if len(seq) == 0:
        raise ValueError("a series needs at least one packet: there is none")
    if ((received_ns != NEVER) & (sent_ns == NEVER)).any():
        raise ValueError(
            "a packet was received without a time of sending: give sent_ns for every received row"
        )
    first = int(seq.min())
    count = int(seq.max()) - first + 1
    if count - len(seq) > max(MAX_HOLES, 10 * len(seq)):
        raise ValueError(
            f"{len(seq)} rows span {count} sequence numbers: give one stream, with unwrapped numbers"
        )
    copies = int(np.count_nonzero(received_ns != NEVER))
    dense = len(seq) == count and bool((seq[1:] - seq[:-1] == 1).all()) and bool((sent_ns != NEVER).all())
    if dense:
        received, sent, sizes, units = received_ns, sent_ns, size, unit
    else:
        place = _Places(seq - first, count)
        received = place.earliest(received_ns)
        # The original's time of sending is the earliest of its copies'.
        sent = _filled(place.earliest(sent_ns))
        sizes = None if size is None else _filled(place.of_originals(sent_ns, size))
        units = None if unit is None else _filled_units(place.of_originals(sent_ns, unit))
        del place
    unique = int(np.count_nonzero(received != NEVER))
    if unique:
        received = _within(t_max_ns, sent, received)
    return make_series(
        np.arange(first, first + count),
        sent,
        received,
        interval_ns=interval_ns,
        size=sizes,
        unit=units,
        duplicates=copies - unique,
    )


def _within(t_max_ns: int, sent_ns: Times, received_ns: Times) -> Times:
    """Times of arrival without those more than this above the smallest delay."""
    late = received_ns - sent_ns > least_delay(sent_ns, received_ns) + t_max_ns
    late &= received_ns != NEVER
    return np.where(late, NEVER, received_ns) if late.any() else received_ns


@dataclass(frozen=True, slots=True)
class _Places:
    """Which of `count` numbers each copy is of."""

    row: Integers
    count: int

    def earliest(self, times: Times) -> Times:
        """Of a number's copies; `NEVER` without any."""
        known = times != NEVER
        row, times = (self.row, times) if known.all() else (self.row[known], times[known])
        chosen = np.full(self.count, BEYOND)
        np.minimum.at(chosen, row, times)
        chosen[chosen == BEYOND] = NEVER
        return chosen

    def of_originals(self, sent_ns: Times, values: Integers) -> Integers:
        """The value of each number's copy that was sent first; `NEVER` without any."""
        known = np.flatnonzero(sent_ns != NEVER)
        known = known[np.argsort(sent_ns[known], kind="stable")[::-1]]
        chosen = np.full(self.count, NEVER)
        chosen[self.row[known]] = values[known]  # of several to one place the last stays
        return chosen


def _filled(values: Integers) -> Integers:
    """The rows without a value between their neighbours'; exact offsets, as ns of a date exceed a float."""
    known = values != NEVER
    if known.all():
        return values
    if not known.any():
        raise ValueError("no packet has a time of sending: give sent_ns")
    origin = int(values[np.argmax(known)])
    gone = np.flatnonzero(~known)
    beside = np.zeros_like(known)
    beside[:-1] |= ~known[1:]
    beside[1:] |= ~known[:-1]
    at = np.flatnonzero(known & beside)
    between = np.interp(gone, at, (values[at] - origin).astype(np.float64))
    values[gone] = origin + np.rint(between).astype(np.int64)
    return values


def _filled_units(units: Integers) -> Integers:
    """The media units of rows without one: on the grid of the others, from the last one known."""
    gone = units == NEVER
    units = _filled(units)
    steps = np.diff(units[~gone])
    steps = steps[steps > 0]
    if gone.any() and len(steps):
        step = int(np.median(steps))
        before = units[np.maximum.accumulate(np.where(gone, 0, np.arange(len(units))))][gone]
        units[gone] = before + (units[gone] - before + step // 2) // step * step
    return units


def of_session(record: SessionRecord, rows: Rows, direction: Literal["up", "down"]) -> list[Series]:
    """One series a stream, of the packets whose crossing was observed or whose loss is certain.

    Delays are counted from the smallest of the whole session, as the session's own values are.
    """
    up, down, _ = directions(rows)
    fates = fates_of(record, rows, up, down)
    way, outcome = (up, fates.up) if direction == "up" else (down, fates.down)
    if outcome is None:
        return []
    packet_ns = min(record.interval_ns, round(record.duration_ns / record.packets))
    crossed = way.excess != NEVER
    one = int(np.argmax(crossed))
    least = int(way.arrived[one] - way.departed[one] - way.excess[one]) if crossed.any() else None
    chosen = np.flatnonzero(outcome.population)
    ends = np.flatnonzero(np.diff(way.stream[chosen])) + 1  # rows are by stream
    found = []
    for of_stream in np.split(chosen, ends) if len(chosen) else []:
        mine = of_stream[np.argsort(way.departed[of_stream], kind="stable")]
        series = _of_stream(way, outcome, rows, mine, (packet_ns, record.interval_ns, least))
        found.append(replace(series, duplicates=int(rows[f"{direction}_duplicates"][mine].sum())))
    return found


def _of_stream(
    way: OneWay, outcome: Outcome, rows: Rows, mine: Indices, spec: tuple[int, int, int | None]
) -> Series:
    packet_ns, unit_ns, least = spec
    mended = way.repair_excess[mine]
    repaired = mended
    if least is not None:
        repaired = np.where(mended == NEVER, NEVER, mended + way.departed[mine] + least)
    seq = departure_numbers(way.stream[mine], way.sequence[mine])
    scheduled = rows["scheduled_ns"][mine]
    several = bool((np.diff(scheduled) == 0).any())  # packets a frame
    return make_series(
        seq,
        way.departed[mine],
        np.where(outcome.lost[mine], NEVER, way.arrived[mine]),
        interval_ns=packet_ns,
        unit_ns=unit_ns,
        size=rows["size"][mine].astype(np.int64),
        unit=scheduled if several else None,
        repaired_ns=repaired,
        least_ns=least,
    )
