"""Join what the node logged to what the client saw: one row a packet, complete in both directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.methods.arrays import count_up
from probe.metrics import NEVER, Repair, Rows, Stamp
from probe.wire import log


def merge_log(rows: Rows, entries: NDArray[np.void], packets: int) -> None:
    """Write the node's receive log into `rows` (stream-major, `packets` a stream), in place.

    The first original gives T2 and T3 (a reflection that came back brought the same), later ones count
    as duplicates; the first repair gives `up_repaired_ns`. Entries of rows that are not ours are ignored.
    """
    keys = entries["stream"].astype(np.int64) * packets + entries["index"]
    known = (entries["index"] < packets) & (keys < len(rows))
    entries, keys = entries[known], keys[known]
    repair = (entries["flags"] & log.RTX) != 0
    duplicate = (entries["flags"] & log.DUPLICATE) != 0
    first = ~repair & ~duplicate
    _originals(rows, keys[first], entries[first])
    count_up(rows["up_duplicates"], keys[duplicate & ~repair])
    _repairs(rows, keys[repair], entries["t2"][repair])


def _originals(rows: Rows, keys: NDArray[np.int64], entries: NDArray[np.void]) -> None:
    rows["node_received_ns"][keys] = entries["t2"]
    reflected = entries["t3"] != NEVER
    rows["node_sent_ns"][keys[reflected]] = entries["t3"][reflected]
    rows["down_seq"][keys[reflected]] = entries["down_seq"][reflected]
    for flag, stamp in ((log.KERNEL_T2, Stamp.NODE_RECEIVED), (log.KERNEL_T3, Stamp.NODE_SENT)):
        rows["stamps"][keys[(entries["flags"] & flag) != 0]] |= np.uint8(stamp)


def _repairs(rows: Rows, keys: NDArray[np.int64], time_ns: NDArray[np.int64]) -> None:
    unrepaired = rows["up_repaired_ns"][keys] == NEVER
    keys, time_ns = keys[unrepaired], time_ns[unrepaired]
    # Assigned backwards, so that the first of several copies stays.
    rows["up_repaired_ns"][keys[::-1]] = time_ns[::-1]
    rows["up_repair"][keys] = Repair.RTX
