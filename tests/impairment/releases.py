"""Links asked for times alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.impairment.chain import Chain
from probe.impairment.draws import BLOCK
from probe.impairment.link import Link
from probe.impairment.loss import Flags, LossModel
from probe.metrics import Times


def release_of(link: Link | Chain, arrival_ns: Times, size: NDArray[np.int64]) -> Times:
    """(n,) when each packet comes out first, or DROPPED."""
    return link.push(arrival_ns, size).first(len(arrival_ns))


def fates(model: LossModel, packets: int) -> Flags:
    """(packets,) which are lost."""
    return np.concatenate([model.block().original for _ in range(-(-packets // BLOCK))])[:packets]


def bursts(lost: Flags) -> NDArray[np.intp]:
    """The lengths of the runs of losses."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(np.int8), [0]])))
    return edges[1::2] - edges[::2]


def reordered_ratio(release: Times) -> float:
    """RFC 4737: a packet is reordered if a later sent one arrived before it."""
    order = np.argsort(release, kind="stable")
    return float((order < np.maximum.accumulate(order)).mean())
