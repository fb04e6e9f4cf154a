"""A network profile fitted to what was measured, so that it can be replayed: loss and its bursts, delay and its
variation, and overtaking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from probe.analysis.delay import Floats
from probe.analysis.gilbert import fit_losses
from probe.analysis.series import Series
from probe.impairment.events import Table
from probe.impairment.profile import Impairment
from probe.metrics import NEVER

QUANTILES = 200
"""Values of the fitted delay table; each stands for half a per cent of the packets, the middle one of them."""
UNIT = 8192
LARGEST = 32767 / UNIT
"""Of a table's deviations, in units of the jitter."""
LEAST_CORRELATION = 0.05
MOST_CORRELATION = 0.999


def fit_direction(series: Sequence[Series], floor_ns: int = 0) -> Impairment:
    """What these streams of one direction met. `floor_ns` is the smallest one-way delay where it is known.

    The delays keep their distribution and the correlation of neighbours; packets keep their order if none was
    seen to overtake. ValueError of nothing.
    """
    excess = [one.excess()[np.sort(one.order)] for one in series]
    pooled = np.sort(np.concatenate([np.zeros(0, np.int64), *excess]))
    loss = fit_losses([one.lost for one in series])
    overtaken = any((np.diff(one.order) < 0).any() for one in series)
    if len(pooled) == 0 or pooled[0] == pooled[-1]:
        return Impairment(delay_ns=floor_ns, loss=loss if loss.ratio else None)
    ranks = (np.arange(QUANTILES) + 0.5) / QUANTILES
    values = pooled[np.minimum((ranks * len(pooled)).astype(np.int64), len(pooled) - 1)]
    values[0] = pooled[0]  # the floor that everything is counted from, however rare
    mean = float(values.mean())
    jitter = max(1, int(np.ceil(np.abs(values - mean).max() / LARGEST)))
    deviations = np.rint((values - mean) * UNIT / jitter).astype(np.int64)
    correlation = _correlation(series, excess)
    return Impairment(
        delay_ns=floor_ns + round(mean),
        jitter_ns=jitter,
        distribution=Table("measured", tuple(deviations.tolist())),
        jitter_correlation=min(correlation, MOST_CORRELATION) if correlation >= LEAST_CORRELATION else 0.0,
        ordered=not overtaken,
        loss=loss if loss.ratio else None,
    )


def _correlation(series: Sequence[Series], excess: Sequence[Floats | np.ndarray]) -> float:
    """Rank correlation of the delays of successive packets (Spearman), of the normal scores they stand for."""
    before, after = [], []
    for one, delays in zip(series, excess, strict=True):
        if len(delays) < 2:
            continue
        rank = np.empty(len(delays))
        rank[np.argsort(delays, kind="stable")] = np.arange(len(delays))
        adjacent = np.diff(one.seq[one.received_ns != NEVER]) == 1
        before.append(rank[:-1][adjacent] / len(delays))
        after.append(rank[1:][adjacent] / len(delays))
    left, right = (np.concatenate([np.zeros(0), *parts]) for parts in (before, after))
    if len(left) < 3 or left.std() == 0 or right.std() == 0:
        return 0.0
    # A rank correlation is 6/pi asin(rho/2) of the normal scores' rho.
    return float(2 * np.sin(np.pi / 6 * np.corrcoef(left, right)[0, 1]))
