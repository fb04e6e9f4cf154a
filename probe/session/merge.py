"""Join what the node logged to what the client saw: one row a packet, complete in both directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.methods.arrays import count_up
from probe.metrics import NEVER, Repair, Rows, Stamp
from probe.wire import log


def merge_log(rows: Rows, entries: NDArray[np.void], *, streams: int) -> None:
    """Write the node's receive log into `rows` (in the order of methods.running.Running), in place.

    The first original gives T2 and T3 (a reflection that came back brought the same), later ones count
    as duplicates; the first repair gives `up_repaired_ns` (a QUIC stream delivers the repaired packet itself,
    which is then reflected as well). Entries of rows that are not ours are ignored.
    """
    keys = entries["index"].astype(np.int64) * streams + entries["stream"]
    known = (entries["stream"] < streams) & (keys < len(rows))
    entries, keys = entries[known], keys[known]
    flags = entries["flags"]
    rtx, duplicate, late_copy = (flags & bit != 0 for bit in (log.RTX, log.DUPLICATE, log.FIRST_LOST))
    original = ~rtx & ~duplicate
    _reflections(rows, keys[original], entries[original])
    arrived = original & ~late_copy
    rows["node_received_ns"][keys[arrived]] = entries["t2"][arrived]
    _stamp(rows, keys[arrived], flags[arrived], log.KERNEL_T2, Stamp.NODE_RECEIVED)
    count_up(rows["up_duplicates"], keys[duplicate & ~rtx])
    for copies, remedy in ((rtx, Repair.RTX), (original & late_copy, Repair.QUIC)):
        _repairs(rows, keys[copies], entries["t2"][copies], remedy)


def _reflections(rows: Rows, keys: NDArray[np.int64], entries: NDArray[np.void]) -> None:
    reflected = entries["t3"] != NEVER
    keys, entries = keys[reflected], entries[reflected]
    rows["down_seq"][keys] = entries["down_seq"]
    # A reflection may have told better (two-step) than the log does, if that was asked for too soon.
    better = (entries["flags"] & log.KERNEL_T3 != 0) | (rows["stamps"][keys] & Stamp.NODE_SENT == 0)
    rows["node_sent_ns"][keys[better]] = entries["t3"][better]
    _stamp(rows, keys, entries["flags"], log.KERNEL_T3, Stamp.NODE_SENT)


def _stamp(rows: Rows, keys: NDArray[np.int64], flags: NDArray[np.uint8], flag: int, stamp: Stamp) -> None:
    rows["stamps"][keys[flags & flag != 0]] |= np.uint8(stamp)


def _repairs(rows: Rows, keys: NDArray[np.int64], time_ns: NDArray[np.int64], remedy: Repair) -> None:
    unrepaired = rows["up_repaired_ns"][keys] == NEVER
    keys, time_ns = keys[unrepaired], time_ns[unrepaired]
    # Assigned backwards, so that the first of several copies stays.
    rows["up_repaired_ns"][keys[::-1]] = time_ns[::-1]
    rows["up_repair"][keys] = remedy
