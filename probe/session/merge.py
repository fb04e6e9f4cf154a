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
    keys = keys_of(entries, streams=streams)
    known = (keys >= 0) & (keys < len(rows))
    entries, keys = entries.take(np.flatnonzero(known)), keys[known]
    flags = entries["flags"]
    duplicate, late_copy = flags & log.DUPLICATE != 0, flags & log.FIRST_LOST != 0
    copy = flags & (log.RTX | log.RED | log.FEC) != 0
    original = ~copy & ~duplicate
    _reflections(rows, keys[original], entries.take(np.flatnonzero(original)))
    arrived = original & ~late_copy
    rows["node_received_ns"][keys[arrived]] = entries["t2"][arrived]
    _stamp(rows, keys[arrived], flags[arrived], log.KERNEL_T2, Stamp.NODE_RECEIVED)
    count_up(rows["up_duplicates"], keys[duplicate & ~copy])
    repairs = copy | original & late_copy
    _repairs(rows, keys[repairs], entries[repairs])


def keys_of(entries: NDArray[np.void], *, streams: int) -> NDArray[np.int64]:
    """(n,) the row that each entry of a log tells of; -1 or one beyond the last: none of ours."""
    keys = entries["index"].astype(np.int64) * streams + entries["stream"]
    return np.where(entries["stream"] < streams, keys, -1)


def _reflections(rows: Rows, keys: NDArray[np.int64], entries: NDArray[np.void]) -> None:
    reflected = entries["t3"] != NEVER
    keys, entries = keys[reflected], entries.take(np.flatnonzero(reflected))
    rows["down_seq"][keys] = entries["down_seq"]
    # A reflection may have told better (two-step) than the log does, if that was asked for too soon.
    better = (entries["flags"] & log.KERNEL_T3 != 0) | (rows["stamps"][keys] & Stamp.NODE_SENT == 0)
    rows["node_sent_ns"][keys[better]] = entries["t3"][better]
    _stamp(rows, keys, entries["flags"], log.KERNEL_T3, Stamp.NODE_SENT)


def _stamp(rows: Rows, keys: NDArray[np.int64], flags: NDArray[np.uint8], flag: int, stamp: Stamp) -> None:
    rows["stamps"][keys[flags & flag != 0]] |= np.uint8(stamp)


_REMEDIES = ((log.RTX, Repair.RTX), (log.RED, Repair.RED), (log.FEC, Repair.FEC))


def _repairs(rows: Rows, keys: NDArray[np.int64], entries: NDArray[np.void]) -> None:
    """The first copy of each packet, whichever remedy brought it."""
    new = rows["up_repaired_ns"][keys] == NEVER
    keys, entries = keys[new], entries[new]
    flags = entries["flags"]
    remedy = np.select([flags & bit != 0 for bit, _ in _REMEDIES], [of for _, of in _REMEDIES], Repair.QUIC)
    # The latest is assigned first, so that the earliest of several copies stays.
    order = np.argsort(entries["t2"], kind="stable")[::-1]
    rows["up_repaired_ns"][keys[order]] = entries["t2"][order]
    rows["up_repair"][keys[order]] = remedy[order]
