"""What a thin stream meets on a path over time: delay, loss and rate in slices, for a picture of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.impairment.chain import Path
from probe.impairment.draws import Seed
from probe.impairment.link import DROPPED, Link
from probe.impairment.profile import NetworkProfile
from probe.metrics import Times

PROBE_PPS = 50
"""Packets a second that look, as many as a voice stream has; so small that they hardly load the link."""
PROBE_BYTES = 20

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Portrait:
    """One direction, a value a slice of time; NaN is no data.

    `median_ns` and `largest_ns` are delays of the packets sent in a slice that arrived, `lost_ratio` the share that
    did not, of `packets` in all. `rate_bps` is what the line could carry on average, infinite without a limit.
    """

    median_ns: Values
    largest_ns: Values
    lost_ratio: Values
    rate_bps: Values
    packets: int


def portraits(network: NetworkProfile, seed: Seed, span_ns: int, slices: int) -> tuple[Portrait, Portrait]:
    """Up and down over the first `span_ns`, at the same time: interruptions they share coincide.

    With the same seed a session's links do the same at the same moments; fates and delays of single packets
    differ, as those belong to their numbers.
    """
    path = Path.through([network], seed)
    sent = np.arange(0, span_ns, 1_000_000_000 // PROBE_PPS, dtype=np.int64)
    edges = np.linspace(0, span_ns, slices + 1).astype(np.int64)
    up, down = (_portrait(chain.links[0], sent, edges) for chain in (path.up, path.down))
    return up, down


def _portrait(link: Link, sent: Times, edges: Times) -> Portrait:
    release = link.push(sent, np.full(len(sent), PROBE_BYTES)).first(len(sent))
    arrived = release != DROPPED
    delay = np.where(arrived, release - sent, np.nan)
    slices = len(edges) - 1
    median, largest, lost = (np.full(slices, np.nan) for _ in range(3))
    starts = np.searchsorted(sent, edges)
    for row in range(slices):
        part = slice(int(starts[row]), int(starts[row + 1]))
        if part.start == part.stop:
            continue
        lost[row] = 1 - arrived[part].mean()
        if arrived[part].any():
            median[row], largest[row] = np.nanmedian(delay[part]), np.nanmax(delay[part])
    return Portrait(median, largest, lost, link.mean_rates(edges), len(sent))
