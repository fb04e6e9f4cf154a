"""Rows on their way into a segment: when a segment is full, and what goes into it."""

from __future__ import annotations

import numpy as np

from probe.metrics import NEVER, SAMPLE, Rows, join_rows
from probe.records import SessionRecord
from probe.store.layout import DAY_NS, SECOND_NS, utc_day

SEGMENT_NS = 5 * SECOND_NS
SEGMENT_ROWS = 65_536


class Pending:
    """The rows of one session that are in no segment yet.

    A segment is full when a packet due 5 s or more after its first one has come, or 65,536 rows have,
    or the UTC date has changed (so that every row lies in the folder of its own date).
    """

    def __init__(self) -> None:
        self._chunks: list[Rows] = []
        self._count = 0
        self._first = 0
        self._last = 0

    def __len__(self) -> int:
        return self._count

    def add(self, rows: Rows) -> None:
        """Take a copy of `rows`: the caller's may be a view of memory that it uses again."""
        if not len(rows):
            return
        chunk = join_rows([rows])
        first, last = int(chunk["scheduled_ns"].min()), int(chunk["scheduled_ns"].max())
        self._first = min(first, self._first) if self._count else first
        self._last = max(last, self._last) if self._count else last
        self._chunks.append(chunk)
        self._count += len(chunk)

    def full(self, record: SessionRecord) -> Rows:
        """The rows of the next full segment, in the order they were due; none when none is full."""
        end = self._end(record)
        if self._last < end and self._count < SEGMENT_ROWS:
            return np.empty(0, SAMPLE)
        rows = self.rest()
        inside = int(np.count_nonzero(rows["scheduled_ns"] < end)) if self._last >= end else self._count
        return rows[: min(inside, SEGMENT_ROWS)]

    def rest(self) -> Rows:
        """All rows, in the order they were due."""
        if not self._chunks:
            return np.empty(0, SAMPLE)
        rows = self._chunks[0] if len(self._chunks) == 1 else join_rows(self._chunks)
        scheduled = rows["scheduled_ns"]
        if np.any(scheduled[1:] < scheduled[:-1]):
            rows = rows.take(np.argsort(scheduled, kind="stable"))
        self._chunks = [rows]
        return rows

    def drop(self, count: int) -> None:
        """Forget the first `count` rows of `rest()`: they are stored."""
        rows = self.rest()[count:]
        self._chunks = [rows] if len(rows) else []
        self._count = len(rows)
        if len(rows):
            self._first = int(rows["scheduled_ns"][0])

    def _end(self, record: SessionRecord) -> int:
        """The first time that is not in the segment any more."""
        if self._first == NEVER:
            return NEVER + 1
        midnight = (utc_day(self._first, record) + 1) * DAY_NS - record.wall_offset_ns
        return min(self._first + SEGMENT_NS, midnight)
