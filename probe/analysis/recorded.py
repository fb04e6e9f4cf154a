"""A session's directions as traces to replay remedies on."""

from __future__ import annotations

import numpy as np

from probe.analysis.crossing import crossing
from probe.analysis.delay import Floats
from probe.analysis.fates import Fates, Outcome
from probe.analysis.one_way import Mask, OneWay
from probe.analysis.replay import Recorded
from probe.metrics import NEVER, Rows


def recorded(rows: Rows, up: OneWay, down: OneWay, fates: Fates) -> dict[str, Recorded | None]:
    """`up` and, unless the stream is one-way, `down`; None where nothing arrived.

    `rows` are by stream and sequence number.
    """
    sides = {"up": (up, fates.up)} | ({} if fates.down is None else {"down": (down, fates.down)})
    trips = _round_trips(up, down, fates)
    return {
        name: _trace(
            rows, way, outcome, next((sides[other] for other in sides if other != name), None), trips
        )
        for name, (way, outcome) in sides.items()
    }


def _round_trips(up: OneWay, down: OneWay, fates: Fates) -> tuple[float, float]:
    """The sum of both smallest delays and the mean round trip, without the node's time; ns."""
    if fates.down is None:
        return 0.0, 0.0
    whole = fates.up.population & ~fates.up.lost & fates.down.population & ~fates.down.lost
    trip = (down.arrived - up.departed - (down.departed - up.arrived))[whole]
    if not len(trip):
        return 0.0, 0.0
    least = trip - up.excess[whole] - down.excess[whole]
    return float(np.median(least)), float(trip.mean())


def _trace(
    rows: Rows,
    way: OneWay,
    outcome: Outcome,
    other: tuple[OneWay, Outcome] | None,
    trips: tuple[float, float],
) -> Recorded | None:
    path = crossing(way, outcome.population, outcome.lost)
    if path is None:
        return None
    origin = int(path.departed[0])
    back = None if other is None else crossing(other[0], other[1].population, other[1].lost)
    chosen = np.flatnonzero(outcome.population & (way.departed != NEVER))
    chosen = chosen[np.lexsort((way.departed[chosen], way.stream[chosen]))]
    table = _Table(way, chosen)
    gone = outcome.lost[chosen]
    departed = (way.departed[chosen] - origin).astype(np.float64)
    one = chosen[int(np.argmin(gone))]
    return Recorded(
        departed=table.of(departed, 0.0),
        arrived=table.of(np.where(gone, np.inf, departed + way.excess[chosen])),
        size=table.of(rows["size"][chosen].astype(np.float64), np.nan),
        way=path,
        back=back,
        origin_ns=origin,
        receiver_ns=int(way.arrived[one] - way.departed[one] - way.excess[one]) + origin,
        least_trip_ns=trips[0],
        round_trip_ns=trips[1],
    )


class _Table:
    """Where each packet stands in a table of a row a stream."""

    def __init__(self, way: OneWay, chosen: np.ndarray[tuple[int], np.dtype[np.intp]]) -> None:
        _, row, count = np.unique(way.stream[chosen], return_inverse=True, return_counts=True)
        self._at = row, np.arange(len(chosen)) - np.repeat(np.cumsum(count) - count, count)
        self._shape = len(count), int(count.max())

    def of(self, values: Floats, nothing: float = np.inf) -> Floats:
        """The values of the packets in their places."""
        table = np.full(self._shape, nothing)
        table[self._at] = values
        return table


def seconds_of(trace: Recorded, mask: Mask) -> Floats:
    """How many of a table's (or several draws' tables') packets lie in each second, on average of the draws."""
    there = trace.there
    second = (trace.departed[there] // 1e9).astype(np.int64)
    chosen = mask[..., there].astype(np.float64)
    weight = chosen if chosen.ndim == 1 else chosen.mean(axis=0)
    return np.bincount(second, weight, minlength=int(second.max()) + 1).astype(np.float64)
