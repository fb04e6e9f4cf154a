"""Interarrival jitter of one stream, as a float in ns and as the integer a receiver reports (RFC 3550).

Pairs are in order of arrival, not of sequence number (6.4.1). J forgets within some 16 packets, so the
run's mean and maximum say more than its last value. tshark counts duplicates as arrivals; here only the
first copy is one.
"""

from __future__ import annotations

import numpy as np

from probe.analysis.delay import JITTER_GAIN, Floats, Integers, smoothed
from probe.analysis.pieces import pieces
from probe.analysis.population import JitterSummary
from probe.analysis.series import Series
from probe.metrics import Times

CHUNK = 1 << 20
INTEGERS = 1 << 16
"""Arrivals at once whose integers are Python's own, which take five times an array's memory."""
SECOND_NS = 1_000_000_000
DECAY = (1 - JITTER_GAIN) ** np.arange(1, 1025)
"""What is left of J after so many packets; 1e-29 at the end."""


def jitter_levels(series: Series) -> Floats:
    """J in ns after every arrival but the first (RFC 3550 6.4.1, without rounding).

    In pieces, for memory: the filter is linear, so what J was before a piece decays beneath it.
    """
    order = series.order
    levels = np.empty(max(0, len(order) - 1))
    before = 0.0
    for start in range(0, len(levels), CHUNK):
        piece = order[start : start + CHUNK + 1]  # in order of arrival, so that equal times keep it
        transit = series.received_ns[piece] - series.sent_ns[piece]
        level = smoothed(np.abs(np.diff(transit)).astype(np.float64)[np.newaxis])[0]
        level[: len(DECAY)] += before * DECAY[: len(level)]
        levels[start : start + CHUNK] = level
        before = float(level[-1])
    return levels


def jitter_summary(levels: Floats) -> JitterSummary:
    """Maximum, mean and last of `jitter_levels`, in ms."""
    if len(levels) == 0:
        return JitterSummary()
    return JitterSummary(
        len(levels), float(levels.max()) / 1e6, float(levels.sum()) / 1e6, float(levels[-1]) / 1e6
    )


def integer_jitter(transit: Integers, before: int = 0) -> list[int]:
    """16 J after every arrival but the first (RFC 3550 A.8), of which a receiver reports `>> 4`.

    `transit` is arrival time minus RTP timestamp in timestamp units, in order of arrival; `before` is 16 J at
    the first. The rounding feeds back, so this is the one metric that goes from packet to packet.
    """
    state = before
    return [state := state + d - ((state + 8) >> 4) for d in np.abs(np.diff(transit)).tolist()]


def reported_jitter(series: Series, clock_rate: int) -> tuple[int, int] | None:
    """Last and largest J that a receiver would report, in timestamp units; None of fewer than two arrivals."""
    state = largest = 0
    for piece in pieces(len(series.order) - 1, INTEGERS):
        levels = integer_jitter(transit_units(series, clock_rate, piece.start, piece.stop + 1), state)
        state, largest = levels[-1], max(largest, *levels)
    return None if len(series.order) < 2 else (state >> 4, largest >> 4)


def transit_units(series: Series, clock_rate: int, first: int = 0, last: int | None = None) -> Integers:
    """Arrival minus sending, each in RTP timestamp units from the series' first, of the arrivals `first` to
    before `last` in order of arrival."""
    if len(series.order) == 0:
        return np.zeros(0, np.int64)
    begin, order = series.order[0], series.order[first:last]
    received = series.received_ns[order] - series.received_ns[begin]
    sent = series.sent_ns[order] - series.sent_ns[begin]
    return _units(received, clock_rate) - _units(sent, clock_rate)


def _units(time_ns: Times, clock_rate: int) -> Integers:
    """Nearest unit; seconds apart from the rest, as hours times 90 kHz exceed 64 bits of ns."""
    seconds, rest = np.divmod(time_ns, SECOND_NS)
    units: Integers = seconds * clock_rate + (rest * clock_rate + SECOND_NS // 2) // SECOND_NS
    return units
