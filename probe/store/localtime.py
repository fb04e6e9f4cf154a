"""The node's local clock at the moment each packet was due, written beside the packet.

Time zone rules change; what the clock on the wall said is kept as it was when it was measured.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from probe.metrics import Rows
from probe.records import SessionRecord
from probe.store.layout import SECOND_NS


class LocalTime(NamedTuple):
    """One entry a row; meaningless where `scheduled_ns` is NEVER."""

    day: NDArray[np.int32]  # days since 1970-01-01 of the local date
    hour: NDArray[np.uint8]
    utc_offset_s: NDArray[np.int32]  # local minus UTC


def local_time(rows: Rows, record: SessionRecord) -> LocalTime:
    """Local date, hour and UTC offset of each row in the zone of the record.

    Raises ZoneInfoNotFoundError for a zone that does not exist.
    """
    zone = ZoneInfo(record.timezone)
    utc_s = (rows["scheduled_ns"] + np.int64(record.wall_offset_ns)) // SECOND_NS
    # Offsets change at whole minutes (since the last local mean time was given up, in 1972).
    minutes, which = np.unique(utc_s // 60, return_inverse=True)
    offsets = np.array([_offset_s(int(minute) * 60, zone) for minute in minutes], np.int32)
    offset = offsets[which] if len(rows) else np.zeros(0, np.int32)
    local_s = utc_s + offset
    day = local_s // 86_400
    hour = (local_s - day * 86_400) // 3600
    return LocalTime(day.astype(np.int32), hour.astype(np.uint8), offset)


def _offset_s(utc_s: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(utc_s, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
