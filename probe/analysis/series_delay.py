"""Delay and its variation of one series, as populations whose percentiles count the lost as infinite."""

from __future__ import annotations

import numpy as np

from probe.analysis.delay import ipdv
from probe.analysis.population import Population
from probe.analysis.results import Distribution
from probe.analysis.series import Series, one_stream
from probe.metrics import NEVER, Times


def delay(series: Series) -> Times:
    """Receiver's time minus sender's in ns (RFC 7679), `NEVER` for the lost; holds any clock offset."""
    delay = series.received_ns - series.sent_ns
    delay[series.received_ns == NEVER] = NEVER
    return delay


def delay_population(series: Series) -> Population:
    """One-way delay with lost = infinite (RFC 7679 5.1): a percentile above the received is infinite."""
    return Population.of_sorted_ns(_ordered(series), _lost(series))


def pdv_population(series: Series) -> Population:
    """Delay above the smallest (RFC 5481 4.2) with lost = infinite; no clock offset remains."""
    return Population.of_sorted_ns(_ordered(series) - (series.least_ns or 0), _lost(series))


def delay_and_pdv(series: Series) -> tuple[Distribution, Distribution, Times]:
    """Both, which differ by a constant: sorted once; and PDV itself in ns, ascending."""
    ordered, lost = _ordered(series), _lost(series)
    of_delay = Population.of_sorted_ns(ordered, lost).distribution()
    ordered -= series.least_ns or 0
    return of_delay, Population.of_sorted_ns(ordered, lost).distribution(), ordered


def ipdv_series(series: Series) -> Times:
    """Delay minus that of the number before, `NEVER` where either is undefined (RFC 3393)."""
    return ipdv(one_stream(len(series.seq)), series.seq, delay(series))


def ipdv_population(series: Series) -> Population:
    """Absolute IPDV (RFC 3393). A pair with a lost packet has none: it is undefined, and not infinite."""
    variation = ipdv_series(series)
    variation = variation[variation != NEVER]
    return Population.of_ns(np.abs(variation, out=variation))


def received_population(series: Series) -> Population:
    """Delays of what arrived alone: a conditional value, which makes a lossy path look fast."""
    return Population.of_sorted_ns(_ordered(series))


def _ordered(series: Series) -> Times:
    """The delays of what arrived, ascending."""
    delays = series.received_ns[series.order]
    delays -= series.sent_ns[series.order]
    delays.sort()
    return delays


def _lost(series: Series) -> int:
    return len(series.seq) - len(series.order)
