"""What remedies would have made of one recorded direction: when each packet would have been there, and at what cost.

Copies that ride on packets of the trace (RED) have their fates from the trace. Packets that were never sent
(retransmissions, their requests, FEC) draw theirs as `crossing` says, in `draws` independent repetitions from
one seed. NACK has the timing of libwebrtc and of this program's own streams: asked for when a later packet
reveals the gap, then once a round trip; the sender repeats a packet at most once a round trip.

Times are ns after the first departure, on the sender's clock; arrivals count from the smallest delay.
Tables have a row a stream; an arrival of `inf` is never, also where a stream has no packet any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.analysis.crossing import Crossing
from probe.analysis.delay import Floats
from probe.analysis.one_way import Mask
from probe.analysis.remedies import RTX_BYTES, Remedy, blocked, carried, fec_bytes, red_sizes, unblocked

SHORTEST_RETRY_NS = 5_000_000.0
"""Between two requests of one packet, however short the round trip."""
OLDEST_NS = 2_000_000_000.0
"""After T_max a repair is not asked for any more."""
HISTORY_NS = 1_000_000_000.0
"""The sender keeps packets so long, or three round trips (libwebrtc)."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One direction. `size` is nan where there is no packet.

    `back` is the other direction, in which requests travel; None where nothing is known of it.
    `origin_ns` is the first departure, `receiver_ns` added to an arrival gives the receiver's clock, and
    `least_trip_ns` is the sum of both smallest delays.
    """

    departed: Floats
    arrived: Floats
    size: Floats
    way: Crossing
    back: Crossing | None
    origin_ns: int
    receiver_ns: int
    least_trip_ns: float
    round_trip_ns: float

    @property
    def there(self) -> Mask:
        """Where a stream has a packet."""
        there: Mask = ~np.isnan(self.size)
        return there


@dataclass(frozen=True, slots=True)
class Replayed:
    """A table a draw: when each packet would have been there, and the bytes sent beside the media."""

    available: Floats
    extra_bytes: float


def replay(trace: Recorded, remedy: Remedy, draws: int, seed: int) -> Replayed:
    """ValueError for retransmission without a way back."""
    random = np.random.default_rng(seed)
    available, size = trace.arrived, trace.size
    extra = 0.0
    if remedy.red:
        available = np.minimum(available, _carried(trace, remedy.red))
        size = red_sizes(trace.size, remedy.red)
        extra += float(np.nansum(size - trace.size))
    drawn = np.repeat(available[None], draws, axis=0)
    attempts = _Attempts(trace, drawn, remedy.retries, random) if remedy.retries else None
    if attempts is not None:
        drawn = attempts.available
    if remedy.repair:
        drawn = np.minimum(drawn, _decoded(trace, drawn, remedy, random))
        extra += fec_bytes(size, remedy)
    if attempts is not None:
        extra += attempts.bytes_before(drawn) / draws
    return Replayed(drawn, extra)


def _carried(trace: Recorded, depth: int) -> Floats:
    """Arrival of the first of the next `depth` packets of the stream that has a copy along."""
    best = np.full_like(trace.arrived, np.inf)
    for ahead, fits in enumerate(carried(trace.size, depth), 1):
        copies = np.where(fits, trace.arrived, np.inf)
        best[:, :-ahead] = np.minimum(best[:, :-ahead], copies[:, ahead:])
    return best


def _revealed(arrived: Floats) -> Floats:
    """When a later packet of the stream first arrives."""
    later = np.minimum.accumulate(arrived[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([later[:, 1:], np.full((len(arrived), 1), np.inf)], axis=1)


class _Attempts:
    """Retransmissions of what is missing when its gap is revealed."""

    def __init__(self, trace: Recorded, available: Floats, retries: int, random: np.random.Generator) -> None:
        if trace.back is None:
            raise ValueError("nothing is known of the way back, in which retransmissions are asked for")
        revealed = np.broadcast_to(_revealed(trace.arrived), available.shape)
        self._at = np.nonzero((available > revealed) & trace.there & np.isfinite(revealed))
        self._sent: list[tuple[Floats, NDArray[np.bool_]]] = []
        self._bytes = trace.size[self._at[1:]] + RTX_BYTES
        departed, first = trace.departed[self._at[1:]], revealed[self._at]
        retry_ns = max(trace.round_trip_ns, SHORTEST_RETRY_NS)
        best = available[self._at].copy()
        repeated = np.full(len(best), -np.inf)
        for attempt in range(retries):
            asked = first + attempt * retry_ns
            wanted = (best > asked) & (asked - first <= OLDEST_NS)
            heard, delay = _cross(trace.back, asked + trace.receiver_ns, random)
            sent = asked + trace.least_trip_ns + delay
            wanted &= heard & (sent - repeated >= trace.round_trip_ns)
            wanted &= sent - departed <= max(HISTORY_NS, 3 * trace.round_trip_ns)
            repeated = np.where(wanted, sent, repeated)
            came, delay = _cross(trace.way, sent + trace.origin_ns, random)
            best = np.minimum(best, np.where(wanted & came, sent + delay, np.inf))
            self._sent.append((asked, wanted))
        self.available = available.copy()
        self.available[self._at] = best

    def bytes_before(self, available: Floats) -> float:
        """Of those that were asked for before the packet was there."""
        until = available[self._at]
        return sum(float(self._bytes[sent & (asked < until)].sum()) for asked, sent in self._sent)


def _cross(path: Crossing, time_ns: Floats, random: np.random.Generator) -> tuple[Mask, Floats]:
    """Whether a packet sent at each time would have arrived, and how much later than at best."""
    lost, excess = path.last_before(time_ns)
    came: Mask = random.random(len(time_ns)) >= path.chance_after(lost)
    return came, excess


def _decoded(trace: Recorded, available: Floats, remedy: Remedy, random: np.random.Generator) -> Floats:
    """When each packet's block is complete enough: as many of its packets there as it has of media.

    Repair packets leave with the last of the block, and not without it; of the others, places without a packet
    count as there.
    """
    media = remedy.media
    there = blocked(trace.there.astype(np.float64), remedy, 0.0) > 0
    leaving = np.where(there[..., -1], blocked(trace.departed, remedy, -np.inf)[..., -1], -np.inf)
    sent = np.isfinite(leaving)
    shape = (len(available), *leaving.shape)
    at_ns = np.where(sent, leaving, 0.0)
    lost, excess = trace.way.last_before(at_ns.ravel() + trace.origin_ns)
    lost = np.broadcast_to(lost.reshape(at_ns.shape), shape)
    arrival = np.where(sent, at_ns + excess.reshape(at_ns.shape), np.inf)
    copies = []
    for _ in range(remedy.repair):
        lost = random.random(shape) < trace.way.chance_after(lost)
        copies.append(np.where(lost, np.inf, arrival))
    own = np.where(there, blocked(available, remedy, np.inf), -np.inf)
    ranked = np.partition(np.concatenate([own, np.stack(copies, axis=-1)], axis=-1), media - 1, axis=-1)
    return unblocked(ranked[..., media - 1], remedy, available.shape[-1])
