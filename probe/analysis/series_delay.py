"""Delay and its variation of one series, as populations whose percentiles count the lost as infinite."""

from __future__ import annotations

import numpy as np

from probe.analysis.delay import ipdv
from probe.analysis.population import Population
from probe.analysis.series import Series, one_stream
from probe.metrics import NEVER, Times


def delay(series: Series) -> Times:
    """Receiver's time minus sender's in ns (RFC 7679), `NEVER` for the lost; holds any clock offset."""
    return np.where(series.received_ns == NEVER, NEVER, series.received_ns - series.sent_ns)


def delay_population(series: Series) -> Population:
    """One-way delay with lost = infinite (RFC 7679 5.1): a percentile above the received is infinite."""
    return _with_lost(series, 0)


def pdv_population(series: Series) -> Population:
    """Delay above the smallest (RFC 5481 4.2) with lost = infinite; no clock offset remains."""
    return _with_lost(series, series.least_ns or 0)


def ipdv_series(series: Series) -> Times:
    """Delay minus that of the number before, `NEVER` where either is undefined (RFC 3393)."""
    return ipdv(one_stream(len(series.seq)), series.seq, delay(series))


def ipdv_population(series: Series) -> Population:
    """Absolute IPDV (RFC 3393). A pair with a lost packet has none: it is undefined, and not infinite."""
    variation = ipdv_series(series)
    return Population.of_ns(np.abs(variation[variation != NEVER]))


def received_population(series: Series) -> Population:
    """Delays of what arrived alone: a conditional value, which makes a lossy path look fast."""
    arrived = series.order
    return Population.of_ns(series.received_ns[arrived] - series.sent_ns[arrived])


def _with_lost(series: Series, least_ns: int) -> Population:
    arrived = series.order
    above = series.received_ns[arrived] - series.sent_ns[arrived] - least_ns
    return Population.of_ns(above, len(series.seq) - len(arrived))
