"""Delay variation of one direction: IPDV (RFC 3393) and interarrival jitter (RFC 3550).

PDV (RFC 5481) is `OneWay.excess` itself. All functions take int64 ns with `NEVER` where undefined, and
keep streams apart: a pair never spans two of them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from probe.analysis.population import JitterSummary
from probe.metrics import NEVER, Times

Indices = NDArray[np.intp]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

JITTER_GAIN = 1 / 16
"""RFC 3550 6.4.1."""


def median(values: Floats, infinite: int = 0) -> float:
    """The mean of the two central values for an even number (RFC 2330 11.3); nan of nothing."""
    n = len(values) + infinite
    if n == 0:
        return math.nan
    ordered = np.sort(values)
    central = [float(ordered[k]) if k < len(ordered) else math.inf for k in ((n - 1) // 2, n // 2)]
    return sum(central) / 2


def ipdv(stream: Integers, sequence: Integers, delay: Times) -> Times:
    """Delay minus that of the preceding sequence number, `NEVER` where either is undefined (RFC 3393).

    Rows are by stream and sequence. The clock offset cancels.
    """
    defined = (delay[1:] != NEVER) & (delay[:-1] != NEVER)
    defined &= (stream[1:] == stream[:-1]) & (sequence[1:] == sequence[:-1] + 1)
    variation = np.full(len(delay), NEVER)
    np.subtract(delay[1:], delay[:-1], out=variation[1:], where=defined)
    return variation


def arrival_order(stream: Integers, arrived: Times) -> Indices:
    """Rows that arrived, by stream and then by arrival; equal times keep the order of the rows."""
    chosen = np.flatnonzero(arrived != NEVER)
    if len(chosen) == 0:
        return chosen
    key = arrived[chosen]
    if stream.strides != (0,):  # more than one
        key -= key.min()
        key += stream[chosen] * (int(key.max()) + 1)
    if (key[1:] >= key[:-1]).all():
        return chosen
    ordered = np.argsort(key, kind="stable")
    del key
    return chosen[ordered]


def jitter_series(stream: Integers, departed: Times, arrived: Times) -> tuple[Integers, Floats]:
    """`(stream, J)` in ns after every pair of arrivals, in arrival order as RFC 3550 6.4.1 says.

    `J += (|D| - J) / 16` with `D` the difference of two packets' transit times; J starts at 0 in each
    stream. Kept as a float: the integer of A.8 is for the wire.
    """
    rows, level = jitter_levels_by_row(stream, departed, arrived)
    return stream[rows], level


def jitter_levels_by_row(stream: Integers, departed: Times, arrived: Times) -> tuple[Indices, Floats]:
    """As `jitter_series`, with the row of each pair's later arrival in the place of its stream."""
    order = arrival_order(stream, arrived)
    stream, transit = stream[order], (arrived - departed)[order]
    pair = stream[1:] == stream[:-1]
    owner = stream[1:][pair]
    rows: Indices = order[1:][pair]
    deviation = np.abs(np.diff(transit))[pair].astype(np.float64)
    if len(owner) == 0:
        return rows, deviation
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    lengths = np.diff(np.r_[starts, len(owner)])
    row = np.repeat(np.arange(len(starts)), lengths)
    column = np.arange(len(owner)) - np.repeat(starts, lengths)
    table = np.zeros((len(starts), int(lengths.max())))
    table[row, column] = deviation
    return rows, smoothed(table)[row, column]


def smoothed(deviation: Floats) -> Floats:
    """The filter of RFC 3550 along each row, in about 2 sqrt(columns) array operations.

    It is linear: rows are cut into blocks that are filtered side by side from zero, and what a block
    ends with decays through the next.
    """
    streams, columns = deviation.shape
    width = math.isqrt(columns - 1) + 1
    blocks = -(-columns // width)
    padded = np.zeros((streams, blocks * width))
    padded[:, :columns] = deviation * JITTER_GAIN
    level = np.ascontiguousarray(padded.reshape(streams * blocks, width).T)
    keep = 1 - JITTER_GAIN
    for step in range(1, width):
        level[step] += keep * level[step - 1]
    ends = level[-1].reshape(streams, blocks).copy()
    for block in range(1, blocks):
        ends[:, block] += keep**width * ends[:, block - 1]
    before = np.zeros_like(ends)
    before[:, 1:] = ends[:, :-1]
    level += np.outer(keep ** np.arange(1, width + 1), before.ravel())
    filtered: Floats = level.T.reshape(streams, blocks * width)[:, :columns]
    return filtered


def jitter(stream: Integers, departed: Times, arrived: Times) -> JitterSummary:
    """Over all updates of all streams; `last` is the largest of the streams' last values."""
    return jitter_summary(*jitter_series(stream, departed, arrived))


def jitter_summary(owner: Integers, level: Floats) -> JitterSummary:
    """Of levels in ns by stream."""
    if len(level) == 0:
        return JitterSummary()
    final = np.flatnonzero(np.r_[owner[1:] != owner[:-1], True])
    return JitterSummary(
        len(level), float(level.max()) / 1e6, float(level.sum()) / 1e6, float(level[final].max()) / 1e6
    )
