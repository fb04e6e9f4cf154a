"""Goodput in bins of 200 ms (RFC 8868 3), and how soon it is back after an event."""

from __future__ import annotations

import math

import numpy as np

from probe.analysis.delay import Floats
from probe.analysis.series import Series

BIN_NS = 200_000_000
BACK = 0.9
IN_A_ROW = 5


def goodput_bps(series: Series, from_ns: int, bins: int, bin_ns: int = BIN_NS) -> Floats:
    """Bits a second that arrived in each bin from `from_ns` on: first copies, none of the repairs.

    Arrivals are counted from the smallest delay, so `from_ns` is a time of sending. ValueError without
    packet sizes.
    """
    if series.size is None:
        raise ValueError("goodput needs the packets' sizes: this source has none")
    order = series.order
    after = series.received_ns[order] - (series.least_ns or 0) - from_ns
    number = after // bin_ns
    chosen = (number >= 0) & (number < bins)
    counted = np.bincount(number[chosen], series.size[order][chosen], minlength=bins)
    return counted.astype(np.float64) * (8e9 / bin_ns)


def ramp_t90(series: Series, started_ns: int, ended_ns: int, bin_ns: int = BIN_NS) -> float | None:
    """From the event's end to the first bin with 90 % of the usual goodput for 5 bins in a row, in ns.

    Usual is the median of the bins before the event; None without one. Infinite if it did not come back.
    """
    before = (started_ns - int(series.sent_ns[0])) // bin_ns
    after = (series.end_ns - ended_ns) // bin_ns
    if before < 1:
        return None
    usual = float(np.median(goodput_bps(series, started_ns - before * bin_ns, before, bin_ns)))
    if after < IN_A_ROW:
        return math.inf
    back = goodput_bps(series, ended_ns, after, bin_ns) >= BACK * usual
    lasting = np.lib.stride_tricks.sliding_window_view(back, IN_A_ROW).all(axis=1)
    found = np.flatnonzero(lasting)
    return float(found[0] * bin_ns) if len(found) else math.inf
