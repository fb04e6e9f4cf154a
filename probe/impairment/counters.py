"""What a link did, so that set, applied and measured can be held side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """What a link did so far: offered + duplicated = lost + outage + overflowed + delivered.

    `lost` by the loss model, `outage` in an interruption that drops, `overflowed` at a full queue. `corrupted` and
    `overtook` are of those that went on. Bytes are UDP payload.
    """

    offered: int = 0
    lost: int = 0
    overflowed: int = 0
    delivered: int = 0
    offered_bytes: int = 0
    delivered_bytes: int = 0
    duplicated: int = 0
    outage: int = 0
    corrupted: int = 0
    overtook: int = 0


def in_a_row(each: Sequence[LinkCounters]) -> LinkCounters:
    """The sum over links that feed each other: offered to the first, delivered by the last."""
    return LinkCounters(
        offered=each[0].offered,
        lost=sum(counters.lost for counters in each),
        overflowed=sum(counters.overflowed for counters in each),
        delivered=each[-1].delivered,
        offered_bytes=each[0].offered_bytes,
        delivered_bytes=each[-1].delivered_bytes,
        duplicated=sum(counters.duplicated for counters in each),
        outage=sum(counters.outage for counters in each),
        corrupted=sum(counters.corrupted for counters in each),
        overtook=sum(counters.overtook for counters in each),
    )
