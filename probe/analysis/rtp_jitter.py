"""Interarrival jitter of one stream, as a float in ns and as the integer a receiver reports (RFC 3550).

Pairs are in order of arrival, not of sequence number (6.4.1). J forgets within some 16 packets, so the
run's mean and maximum say more than its last value. tshark counts duplicates as arrivals; here only the
first copy is one.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from probe.analysis.delay import JITTER_GAIN, Floats, Integers, jitter_series
from probe.analysis.population import JitterSummary
from probe.analysis.series import Series, one_stream
from probe.metrics import Times

CHUNK = 1 << 20
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
        stream = one_stream(len(piece))
        level = jitter_series(stream, series.sent_ns[piece], series.received_ns[piece])[1]
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


def integer_jitter(transit: Integers) -> Integers:
    """What a receiver would report after every arrival but the first (RFC 3550 A.8), in timestamp units.

    `transit` is arrival time minus RTP timestamp in those units, in order of arrival. The state is 16 J
    and its rounding feeds back, so this is the one metric that goes from packet to packet.
    """
    deviation = np.abs(np.diff(transit))
    reported = np.empty(len(deviation), np.int64)
    state = 0
    for start in range(0, len(deviation), CHUNK):
        part = deviation[start : start + CHUNK].tolist()
        states = accumulate(part, lambda level, d: level + d - ((level + 8) >> 4), initial=state)
        filled = np.fromiter(states, np.int64, len(part) + 1)
        state = int(filled[-1])
        reported[start : start + CHUNK] = filled[1:] >> 4
    return reported


def transit_units(series: Series, clock_rate: int) -> Integers:
    """Arrival minus sending, each in RTP timestamp units from the series' first, in order of arrival."""
    order = series.order
    if len(order) == 0:
        return np.zeros(0, np.int64)
    received, sent = series.received_ns[order], series.sent_ns[order]
    return _units(received - received[0], clock_rate) - _units(sent - sent[0], clock_rate)


def _units(time_ns: Times, clock_rate: int) -> Integers:
    """Nearest unit; seconds apart from the rest, as hours times 90 kHz exceed 64 bits of ns."""
    seconds, rest = np.divmod(time_ns, SECOND_NS)
    units: Integers = seconds * clock_rate + (rest * clock_rate + SECOND_NS // 2) // SECOND_NS
    return units
