"""One direction of a session as arrays, with the unknown clock offset removed.

No value of a direction uses an absolute one-way delay, which two free clocks cannot know: everything is
counted from the direction's smallest delay in the session (RFC 5481 PDV), after the node's times were
brought to our clock's rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.analysis.clock import NodeClock, at_our_rate, node_clock
from probe.metrics import NEVER, Rows, Times

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class OneWay:
    """The first transmissions of one direction, a row a scheduled packet, by stream and sequence.

    `departed` and `arrived` are on clocks of one rate and of an unknown offset. `excess` is the delay
    above the direction's minimum, `repair_excess` the same for the first repair copy, counted from the
    original's departure; all ns, `NEVER` where undefined.
    """

    stream: NDArray[np.int64]
    sequence: NDArray[np.int64]
    departed: Times
    arrived: Times
    excess: Times
    repair_excess: Times


def one_way(
    stream: NDArray[np.int64], sequence: NDArray[np.int64], departed: Times, arrived: Times, repaired: Times
) -> OneWay:
    """Count each delay from the smallest. Without any arrival nothing can be said of repairs either."""
    crossed = (departed != NEVER) & (arrived != NEVER)
    least = int((arrived[crossed] - departed[crossed]).min()) if crossed.any() else None
    excess = np.full(len(departed), NEVER)
    repair_excess = np.full(len(departed), NEVER)
    if least is not None:
        mended = (departed != NEVER) & (repaired != NEVER)
        excess[crossed] = arrived[crossed] - departed[crossed] - least
        repair_excess[mended] = repaired[mended] - departed[mended] - least
    return OneWay(stream, sequence, departed, arrived, excess, repair_excess)


def departure_numbers(stream: NDArray[np.int64], sequence: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of packets by stream and departure: their own, and counted in streams that the node's numbers are
    not known of in all."""
    wrong = (stream[1:] == stream[:-1]) & (sequence[1:] <= sequence[:-1])
    if not wrong.any():
        return sequence
    return np.where(np.isin(stream, stream[1:][wrong]), np.arange(len(sequence)), sequence)


def directions(rows: Rows) -> tuple[OneWay, OneWay, NodeClock]:
    """Up, down and the node's clock. `down.sequence` is the node's own numbering, -1 where unknown."""
    times = {name: np.ascontiguousarray(rows[name]) for name in rows.dtype.names or () if name[-3:] == "_ns"}
    clock = node_clock(
        times["sent_ns"], times["node_received_ns"], times["node_sent_ns"], times["received_ns"]
    )
    on_node = ("node_received_ns", "node_sent_ns", "up_repaired_ns")
    firsts = [int(known.min()) for name in on_node if len(known := times[name][times[name] != NEVER])]
    origin = min(firsts, default=0)
    for name in on_node:
        times[name] = at_our_rate(times[name], clock.skew, origin)
    stream = rows["stream"].astype(np.int64)
    up = one_way(
        stream,
        rows["seq"].astype(np.int64),
        times["sent_ns"],
        times["node_received_ns"],
        times["up_repaired_ns"],
    )
    down = one_way(
        stream,
        rows["down_seq"].astype(np.int64),
        times["node_sent_ns"],
        times["received_ns"],
        times["down_repaired_ns"],
    )
    return up, down, clock
