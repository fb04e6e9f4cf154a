"""Round-trip delays as counts in buckets 1 % wide: small enough to keep for ever, and additive.

Bucket b holds the delays with b = floor(ln(rtt_us) / ln 1.01), so a percentile read at the bucket's
geometric middle is at most 0.5 % off. A packet that was sent and did not come back within T_max has an
infinite delay (RFC 7679), bucket `INFINITE`; packets never sent are in no bucket. Counts are integers:
merging is addition, and the same on every machine, in any order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from probe.metrics import NEVER, T_MAX_NS, Rows, Unsent
from probe.records import SessionRecord
from probe.store.documents import SCHEMA_VERSION
from probe.store.layout import histogram_path
from probe.store.localtime import local_time
from probe.store.parquet import Connection, labels, write_table

WIDTH = 1.01
INFINITE = 2**31 - 1

COUNTS = np.dtype(
    [("local_day", "i4"), ("local_hour", "u1"), ("utc_offset_s", "i4"), ("bucket", "i4"), ("count", "i8")]
)
"""Packets of one session by local hour and bucket; each combination once, in ascending order."""


def bucket_of(rtt_ns: NDArray[np.int64]) -> NDArray[np.int32]:
    """The bucket of each delay in ns. A delay below 1 ns counts as 1 ns."""
    rtt_us = np.maximum(rtt_ns, 1) / 1000.0
    return np.asarray(np.floor(np.log(rtt_us) / np.log(WIDTH)), np.int32)


def count_delays(record: SessionRecord, rows: Rows) -> NDArray[np.void]:
    """`COUNTS` of the first transmissions in `rows`; none for a one-way session, which has no round trip."""
    sent = rows[
        (rows["sent_ns"] != NEVER) & (rows["unsent"] == Unsent.SENT) & (rows["scheduled_ns"] != NEVER)
    ]
    if record.one_way or not len(sent):
        return np.empty(0, COUNTS)
    local = local_time(sent, record)
    counts = np.empty(len(sent), COUNTS)
    counts["local_day"], counts["local_hour"], counts["utc_offset_s"] = local
    counts["bucket"] = _buckets(sent)
    counts["count"] = 1
    return add_up([counts])


def _buckets(sent: Rows) -> NDArray[np.int32]:
    round_trip = sent["received_ns"] - sent["sent_ns"]
    known = (sent["node_received_ns"] != NEVER) & (sent["node_sent_ns"] != NEVER)
    at_node = np.where(known, sent["node_sent_ns"] - sent["node_received_ns"], 0)
    back = (sent["received_ns"] != NEVER) & (round_trip <= T_MAX_NS)
    return np.where(back, bucket_of(round_trip - at_node), np.int32(INFINITE))


def add_up(parts: Iterable[NDArray[np.void]]) -> NDArray[np.void]:
    """The sum of several `COUNTS`: associative, in any order the same."""
    every = np.concatenate([np.empty(0, COUNTS), *parts])
    if not len(every):
        return every
    # Two plain sorts are many times quicker than one of structured rows.
    hour = every["local_day"].astype(np.int64) * 24 + every["local_hour"]
    when = hour * 2**18 + every["utc_offset_s"] + 2**17
    order = np.lexsort((every["bucket"], when))
    every, when = every[order], when[order]
    new = (when[1:] != when[:-1]) | (every["bucket"][1:] != every["bucket"][:-1])
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    total: NDArray[np.void] = every[starts]
    total["count"] = np.add.reduceat(every["count"], starts)
    return total


def write_histogram(
    connection: Connection, root: Path, record: SessionRecord, day: dt.date, counts: NDArray[np.void]
) -> Path:
    """Store the counts of a whole session in the folder of UTC date `day`. Raises StoreError."""
    path = histogram_path(root, record, day)
    columns = {
        **labels(record),
        "local_date": "DATE '1970-01-01' + local_day",
        **{name: name for name in ("local_hour", "utc_offset_s", "bucket", "count")},
    }
    metadata = {
        "schema_version": str(SCHEMA_VERSION),
        "run_id": record.run_id,
        "session": str(record.index),
        "bucket_width": str(WIDTH),
        "infinite_bucket": str(INFINITE),
        "packets": str(int(counts["count"].sum())),
    }
    arrays = {name: counts[name] for name in COUNTS.names or ()}
    write_table(connection, path, arrays, columns, metadata)
    return path
