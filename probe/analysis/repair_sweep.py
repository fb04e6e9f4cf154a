"""Which packets each remedy made playable, at every playout deadline of a sweep.

The beginning of the stream (as much as the deadline) and its last T_max are left out of the sweep: the player's
buffer was not full yet, and no later packet reveals the loss of the last ones (RFC 5481 7.1.2 has the playout model).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.analysis.fates import Outcome
from probe.analysis.one_way import Mask, OneWay
from probe.analysis.playout import BUFFERS_NS, required_buffer
from probe.analysis.repairs import RESIDUAL, AtDeadline, Repairs
from probe.analysis.series import BEYOND
from probe.metrics import NEVER, T_MAX_NS, Repair, Rows
from probe.records import SessionRecord

REMEDIES = {"nack": Repair.RTX, "fec": Repair.FEC, "red": Repair.RED, "quic": Repair.QUIC}


def repairs(record: SessionRecord, rows: Rows, way: OneWay, outcome: Outcome, name: str) -> Repairs:
    """Of the direction `name` ("up", "down"), from stored rows."""
    remedy = rows[f"{name}_repair"]
    settled = _settled(record, way, outcome.population)
    warm = settled & _after(way, outcome.population, record.deadline_ns)
    mended = way.repair_excess[warm]
    best = np.where(outcome.lost, BEYOND, way.excess)[warm]
    needed = required_buffer(np.minimum(best, np.where(mended == NEVER, BEYOND, mended)), RESIDUAL)
    return Repairs(
        scheduled=_at(record.deadline_ns, way, outcome, outcome.population, remedy),
        sweep=tuple(
            _at(deadline, way, outcome, settled & _after(way, outcome.population, deadline), remedy)
            for deadline in BUFFERS_NS
        ),
        buffer_ms=None if needed is None else needed / 1e6,
        overhead_ratio=sent_ratio(record, rows, way, name),
    )


def _settled(record: SessionRecord, way: OneWay, population: Mask) -> Mask:
    """Packets after which the stream went on for T_max at least."""
    if not population.any():
        return population
    end = int(way.departed[population].max()) + record.interval_ns
    settled: Mask = population & (way.departed < end - T_MAX_NS)
    return settled


def _after(way: OneWay, population: Mask, warm_up_ns: int) -> Mask:
    if not population.any():
        return population
    after: Mask = way.departed >= int(way.departed[population].min()) + warm_up_ns
    return after


def _at(
    deadline_ns: int, way: OneWay, outcome: Outcome, chosen: Mask, remedy: NDArray[np.uint8]
) -> AtDeadline:
    lost = chosen & outcome.lost
    late = chosen & ~outcome.lost & (way.excess > deadline_ns)
    playable = (way.repair_excess != NEVER) & (way.repair_excess <= deadline_ns)
    mended = remedy[(lost | late) & playable]
    return AtDeadline(
        deadline_ns,
        int(np.count_nonzero(chosen)),
        int(np.count_nonzero(lost)),
        int(np.count_nonzero(late)),
        {name: int(np.count_nonzero(mended == of)) for name, of in REMEDIES.items()},
    )


_BESIDE = ("retransmission_bytes", "red_bytes", "fec_bytes", "quic_repeated_bytes")


def sent_ratio(record: SessionRecord, rows: Rows, way: OneWay, name: str) -> float | None:
    """Bytes of RTP packets (over QUIC: of what it sent again, too) by those of the media's first transmissions."""
    told = record.client if name == "up" else record.counters
    if "retransmission_bytes" not in told:
        return None
    media = int(rows["size"][way.departed != NEVER].sum(dtype=np.int64))
    beside = sum(int(told.get(key) or 0) for key in _BESIDE)
    return 1 + beside / media if media else None
