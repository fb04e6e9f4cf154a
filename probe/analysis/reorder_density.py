"""Reorder density and reorder buffer-occupancy density (RFC 5236), both as a share a value.

The whole series is known, so what is lost is known: no displacement threshold is needed to tell. Lost
packets are skipped and duplicates ignored.
"""

from __future__ import annotations

import numpy as np

from probe.analysis.delay import Indices, Integers
from probe.analysis.series import Series

Density = dict[int, float]


def densities(series: Series) -> tuple[Density, Density]:
    """`(RD, RBD)` of one stream."""
    seq = series.seq[series.order]
    return reorder_density(seq), buffer_density(seq)


def reorder_density(seq: Integers) -> Density:
    """Share of arrivals by displacement, receive index minus number (RFC 5236 4); early is negative.

    Receive indices are the numbers that arrived, in ascending order.
    """
    displacement = np.sort(seq, kind="stable")  # soon done where most are in order
    displacement -= seq
    return _shares(displacement)


def buffer_density(seq: Integers) -> Density:
    """Share of arrivals after which so many packets wait for an earlier one (RFC 5236 5)."""
    if len(seq) == 0:
        return {}
    by_rank = np.argsort(seq, kind="stable")
    # All packets up to a rank are there once the last of them is; from then on none of them waits.
    there = np.maximum.accumulate(by_rank, out=by_rank)
    handed_on = np.bincount(there, minlength=len(seq))
    del by_rank, there
    np.cumsum(handed_on, out=handed_on)
    waiting: Indices = np.subtract(np.arange(1, len(seq) + 1), handed_on, out=handed_on)
    return _shares(waiting)


def _shares(values: Integers | Indices) -> Density:
    if len(values) == 0:
        return {}
    low = int(values.min())
    if int(values.max()) - low <= 4 * len(values):  # no sort where a table will do
        counts = np.bincount(values - low)
        found = np.flatnonzero(counts)
        return {int(k) + low: int(counts[k]) / len(values) for k in found}
    levels, counted = np.unique(values, return_counts=True)
    return {int(k): int(n) / len(values) for k, n in zip(levels, counted, strict=True)}
