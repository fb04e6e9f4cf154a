"""One session: its record and its packets in, everything shown of it out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from probe.analysis.blocking import BLOCK_NS, Blocking
from probe.analysis.claim_parts import claim_parts
from probe.analysis.direction import direction
from probe.analysis.fates import LOST, Fates, fates_of, was_sent
from probe.analysis.interruptions import events
from probe.analysis.one_way import OneWay, directions
from probe.analysis.population import Population, Share
from probe.analysis.quality import grade
from probe.analysis.quality_facts import side_counts
from probe.analysis.repair_sweep import repairs
from probe.analysis.results import Poolable, SessionSummary
from probe.analysis.worst_call import worst_call
from probe.analysis.worst_values import worst_values
from probe.metrics import NEVER, Fate, Rows, Times, Unsent
from probe.records import COMPLETED, DIED, INTERRUPTED, NOT_CONNECTED, UNREACHABLE, SessionRecord

ARRIVED = (Fate.ON_TIME, Fate.LATE)


def analyse_session(record: SessionRecord, rows: Rows, block_ns: int = BLOCK_NS) -> SessionSummary:
    """Everything shown of a session, from its stored rows (`metrics.SAMPLE`, any order).

    Evidence is counted in blocks of `block_ns`.
    """
    rows = _ordered(rows)
    up, down, clock = directions(rows)
    fates = fates_of(record, rows, up, down)
    sent = was_sent(rows)
    values: dict[str, Poolable] = {}
    blocks: dict[str, tuple[Poolable, ...]] = {}
    blocking = Blocking.of(rows, block_ns)
    upward = direction(up, fates.up, rows, "up", blocking, values, blocks)
    upward = replace(upward, repairs=repairs(record, rows, up, fates.up, "up"))
    downward = None
    if fates.down is not None:
        downward = direction(down, fates.down, rows, "down", blocking, values, blocks)
        downward = replace(downward, repairs=repairs(record, rows, down, fates.down, "down"))
    round_trip = _round_trip(fates, up, down) if not record.one_way else np.full(len(rows), NEVER)
    lost = np.isin(fates.fate, LOST)
    losses = blocking.shares(lost, sent)
    blocks["loss"] = losses
    values["loss"] = loss = Share.pooled(losses)
    if not record.one_way:
        trips = blocking.populations(round_trip, round_trip != NEVER, lost)
        blocks["rtt"] = trips
        values["rtt"] = Population.pooled(trips)
    values |= worst_values(record, up, down, fates) | _per_session(record)
    if record.claim is not None:
        outcomes = {"up": fates.up} | ({} if fates.down is None else {"down": fates.down})
        blocks |= claim_parts(rows, outcomes)
    counts = _counts(record, rows, fates, values)
    rtt = values.get("rtt")
    return SessionSummary(
        record=record,
        counts=counts,
        rtt_ms=(rtt if isinstance(rtt, Population) else Population(np.empty(0))).distribution(),
        loss_ratio=loss.ratio,
        up=upward,
        down=downward,
        worst_call=worst_call(record, rows, fates, round_trip),
        quality=grade(record, rows, sent, counts, clock),
        outages=events(record, rows, up, down, fates),
        values=values,
        blocks=blocks,
    )


def _ordered(rows: Rows) -> Rows:
    """By stream and sequence number, as all pairwise values need."""
    position = rows["stream"].astype(np.int64) << 32 | rows["seq"]
    return rows if (np.diff(position) > 0).all() else rows[np.argsort(position, kind="stable")]


def _round_trip(fates: Fates, up: OneWay, down: OneWay) -> Times:
    """T4 - T1 less the time in the node, for packets that arrived; ns."""
    arrived = np.isin(fates.fate, ARRIVED) & (down.departed != NEVER)
    trip = np.full(len(fates.fate), NEVER)
    held = down.departed[arrived] - up.arrived[arrived]
    trip[arrived] = down.arrived[arrived] - up.departed[arrived] - held
    return trip


def _per_session(record: SessionRecord) -> dict[str, Poolable]:
    """`connect`, `handshake` and `reachable`: one value a session, infinite where the far side failed.

    A session that ended by our own doing before the first packet came back says nothing. One whose test
    connection our own weak network prevented has reached its node, and never connected.
    """
    unconnected = record.outcome == NOT_CONNECTED or (record.outcome == COMPLETED and not record.one_way)
    failed = record.outcome == UNREACHABLE
    failed |= (record.outcome == DIED or unconnected) and record.connect_ms is None
    values: dict[str, Poolable] = {
        "connect": _single(record.connect_ms, failed),
    }
    if "quic" in record.transport:
        values["handshake"] = _single(record.handshake_ms, failed and record.handshake_ms is None)
    if record.outcome in (UNREACHABLE, DIED):
        values["reachable"] = Share(0, 1)
    elif record.outcome in (COMPLETED, NOT_CONNECTED) or (
        record.outcome == INTERRUPTED and record.connect_ms is not None
    ):
        values["reachable"] = Share(1, 1)
    return values


def _single(value_ms: float | None, failed: bool) -> Population:
    finite = np.array([] if value_ms is None or failed else [value_ms], np.float64)
    return Population(finite, int(failed))


def _counts(record: SessionRecord, rows: Rows, fates: Fates, values: dict[str, Poolable]) -> dict[str, int]:
    """The fates and the side counts, by the names of the contract."""
    unsent = fates.fate == Fate.UNSENT
    why = rows["unsent"][unsent]
    reordered = [
        share.hits for name, share in values.items() if isinstance(share, Share) and "reordered" in name
    ]
    return {
        "scheduled": len(rows),
        "unsent": len(why),
        "unsent_host_late": int(np.count_nonzero(why == Unsent.HOST_LATE)),
        "unsent_cc_limited": int(np.count_nonzero(why == Unsent.CC_LIMITED)),
        "unsent_aborted": int(np.count_nonzero((why == Unsent.ABORTED) | (why == Unsent.SENT))),
        "sent": len(rows) - len(why),
        "on_time": fates.count(Fate.ON_TIME),
        "late": fates.count(Fate.LATE),
        "lost_up": fates.count(Fate.LOST_UP),
        "lost_down": fates.count(Fate.LOST_DOWN),
        "lost_unknown": fates.count(Fate.LOST_UNKNOWN),
        "duplicates": int(rows["up_duplicates"].sum()) + int(rows["down_duplicates"].sum()),
        "reordered": sum(reordered),
        **side_counts(record),
    }
