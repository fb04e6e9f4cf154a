"""The vocabulary of a measurement: the record of one packet, its fates, and T_max.

Times are int64 nanoseconds of one host's monotonic clock; `NEVER` marks an event that did not happen
(RFC 2330: undefined, which is neither zero nor absent). The `node_*` and `up_repaired` times are the
node's clock, the others the client's; no function subtracts across the two without removing the
offset (docs/metrics.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, IntFlag
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Times: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = NDArray[np.void]
"""A structured array of `SAMPLE`."""

NEVER = int(np.iinfo(np.int64).min)
T_MAX_NS = 2_000_000_000
"""RFC 7680 loss threshold: not arrived within this time is lost."""


class Fate(IntEnum):
    """What became of the first transmission of a scheduled packet; each has exactly one."""

    UNSENT = 0
    ON_TIME = 1
    LATE = 2
    LOST_UP = 3
    LOST_DOWN = 4
    LOST_UNKNOWN = 5


class Unsent(IntEnum):
    """Why a scheduled packet never left; 0 = it left."""

    SENT = 0
    HOST_LATE = 1
    CC_LIMITED = 2
    ABORTED = 3


class Repair(IntEnum):
    """Which remedy delivered the first copy after the original was lost or late."""

    NONE = 0
    RTX = 1
    FEC = 2
    RED = 3
    QUIC = 4


class Stamp(IntFlag):
    """Which of the four times of a packet are kernel stamps; without the bit: user space."""

    SENT = 1
    NODE_RECEIVED = 2
    NODE_SENT = 4
    RECEIVED = 8


SAMPLE = np.dtype(
    [
        ("scheduled_ns", "i8"),
        ("sent_ns", "i8"),
        ("node_received_ns", "i8"),
        ("node_sent_ns", "i8"),
        ("received_ns", "i8"),
        ("up_repaired_ns", "i8"),
        ("down_repaired_ns", "i8"),
        ("seq", "u4"),
        ("down_seq", "i4"),
        ("stream", "u2"),
        ("size", "u2"),
        ("unsent", "u1"),
        ("up_repair", "u1"),
        ("down_repair", "u1"),
        ("up_duplicates", "u1"),
        ("down_duplicates", "u1"),
        ("up_retransmissions", "u1"),
        ("down_retransmissions", "u1"),
        ("stamps", "u1"),
    ]
)
"""One row a scheduled packet.

`scheduled_ns` when it was due, `sent_ns` when it left (T1), `node_received_ns` first arrival of the
original at the node (T2), `node_sent_ns` when the node reflected it (T3), `received_ns` first arrival
of the reflection (T4). `up_repaired_ns`/`down_repaired_ns`: first arrival of a repair copy at the node
/ at the client. `down_seq`: the node's own sequence number of the reflection, -1 if unknown.
`up_retransmissions`/`down_retransmissions`: repair copies sent by the client / received from the node.
`size`: bytes of the RTP packet.
"""

SCHEDULED_FIELDS = ("scheduled_ns", "stream", "seq", "size")
"""What the schedule tells of a row."""

RUNNING = np.dtype([(name, SAMPLE[name]) for name in SAMPLE.names or () if name not in SCHEDULED_FIELDS])
"""A row while its session runs: 60 bytes, shared by the process that measures and its parent. `Running` in
methods/running.py makes a `SAMPLE` of it."""

TIME_FIELDS = tuple(name for name in SAMPLE.names or () if name.endswith("_ns"))


def empty_rows(count: int, dtype: np.dtype[np.void] = SAMPLE) -> Rows:
    """`count` rows in which nothing has happened yet."""
    rows: NDArray[Any] = np.zeros(count, dtype)
    clear_rows(rows)
    return rows


def join_rows(parts: Sequence[Rows]) -> Rows:
    """Copies of all rows of parts of one record type, of which there is one at least: row by row, where np.concatenate
    goes field by field and takes seven times as long."""
    record = parts[0].dtype
    whole = np.dtype((np.void, record.itemsize))
    joined: Rows = np.concatenate([np.ascontiguousarray(part, record).view(whole) for part in parts]).view(
        record
    )
    return joined


def clear_rows(rows: Rows) -> None:
    """Make zeros rows in which nothing has happened yet."""
    names = rows.dtype.names or ()
    for name in TIME_FIELDS:
        if name in names:
            rows[name] = NEVER
    rows["down_seq"] = -1
