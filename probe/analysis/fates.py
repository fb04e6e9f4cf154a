"""The one fate of each scheduled packet, and the same question for each direction alone.

    scheduled = unsent + sent
    sent      = on_time + late + lost_up + lost_down + lost_unknown
    a direction's lost + late = recovered + residual

A packet's fate is that of its first transmission, over the round trip (one-way streams: over up).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.analysis.one_way import Mask, OneWay
from probe.metrics import NEVER, T_MAX_NS, Fate, Rows, Unsent
from probe.records import COMPLETED, SessionRecord

LOST = (Fate.LOST_UP, Fate.LOST_DOWN, Fate.LOST_UNKNOWN)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the packets of one direction; masks over all rows.

    `population`: those whose crossing was observed or whose loss is certain. `lost`: not within `T_MAX_NS`.
    `late`: past the playout deadline. `recovered`: lost or late, and playable thanks to a repair copy.
    """

    population: Mask
    lost: Mask
    late: Mask
    recovered: Mask

    @property
    def residual(self) -> Mask:
        """Not playable at the deadline after recovery."""
        return (self.lost | self.late) & ~self.recovered


@dataclass(frozen=True, slots=True)
class Fates:
    """`fate` is a `metrics.Fate` a row; `down` is None for one-way streams."""

    fate: NDArray[np.uint8]
    up: Outcome
    down: Outcome | None

    def count(self, fate: Fate) -> int:
        return int(np.count_nonzero(self.fate == fate))


def was_sent(rows: Rows) -> Mask:
    """The packets that left. A row of a session cut off before it told so did not."""
    sent: Mask = (rows["unsent"] == Unsent.SENT) & (rows["sent_ns"] != NEVER)
    return sent


def node_knowledge(record: SessionRecord, rows: Rows) -> Mask:
    """Whether the node's receive log covers each packet, so that its absence there is a loss.

    `client["log_until_ns"]` is the send time up to which the log arrived; without it the log of a
    completed session is whole and that of any other is missing.
    """
    until = record.client.get("log_until_ns")
    if until is None:
        return np.full(len(rows), record.outcome == COMPLETED)
    covered: Mask = rows["sent_ns"] <= int(until)
    return covered


def fates_of(record: SessionRecord, rows: Rows, up: OneWay, down: OneWay) -> Fates:
    """Give every row its fate. `up` and `down` are the directions of the same rows."""
    sent = was_sent(rows)
    told = (up.arrived != NEVER) | (rows["up_repaired_ns"] != NEVER)
    told |= (down.departed != NEVER) | (down.arrived != NEVER)
    unknown = sent & ~told & ~node_knowledge(record, rows)
    over = _over_t_max(up, down)
    slower_up = up.excess >= down.excess
    up_outcome = _outcome(up, sent & ~unknown, over & slower_up, record.deadline_ns)
    fate = np.full(len(rows), Fate.ON_TIME, np.uint8)
    if record.one_way:
        down_outcome = None
        late = up_outcome.late
    else:
        reflected = sent & (down.departed != NEVER)
        down_outcome = _outcome(down, reflected, over & ~slower_up, record.deadline_ns)
        late = up_outcome.late | down_outcome.late
        fate[down_outcome.lost | (down.arrived == NEVER)] = Fate.LOST_DOWN
    fate[late & (fate == Fate.ON_TIME)] = Fate.LATE
    fate[up_outcome.lost] = Fate.LOST_UP
    fate[unknown] = Fate.LOST_UNKNOWN
    fate[~sent] = Fate.UNSENT
    return Fates(fate, up_outcome, down_outcome)


def _over_t_max(up: OneWay, down: OneWay) -> Mask:
    """Round trips of originals, without the node's own time, beyond T_max; the slower direction lost the packet."""
    whole = (up.departed != NEVER) & (up.arrived != NEVER)
    whole &= (down.departed != NEVER) & (down.arrived != NEVER)
    over: Mask = whole & (down.arrived - up.departed - (down.departed - up.arrived) > T_MAX_NS)
    return over


def _outcome(way: OneWay, population: Mask, over: Mask, deadline_ns: int) -> Outcome:
    lost = population & ((way.excess == NEVER) | (way.excess > T_MAX_NS) | over)
    late = population & ~lost & (way.excess > deadline_ns)
    playable = (way.repair_excess != NEVER) & (way.repair_excess <= deadline_ns)
    return Outcome(population, lost, late, (lost | late) & playable)
