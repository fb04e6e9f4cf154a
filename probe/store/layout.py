"""Where everything lies under the results folder.

    runs/<run-id>/manifest.json, summary.json, verdict.json, sessions/<index>.json
    packets/country=ID/vendor=alpha/date=2026-11-22/<run-id>-s0003-000012.parquet
    hist/country=ID/vendor=alpha/date=2026-11-22/<run-id>-s0003.parquet

`date` is the UTC date of the packets. The `name=value` folders are Hive partitions, so values are
percent-encoded as Hive does; DuckDB and Spark decode them.
"""

from __future__ import annotations

import datetime as dt
import glob
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from probe.metrics import Rows
from probe.records import SessionRecord

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
MANIFEST = "manifest.json"
SUMMARY = "summary.json"
VERDICT = "verdict.json"
_PACKETS, _HISTOGRAMS = "packets", "hist"
_SEGMENT = re.compile(r"(?P<run>.+)-s(?P<session>\d{4,9})-(?P<number>\d{6,9})\.parquet")
_VALUE_WIDTH = 100
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True, order=True)
class SegmentFile:
    """A file whose name says that it is segment `number` of session `session` of run `run_id`."""

    run_id: str
    session: int
    number: int
    path: Path


def run_folder(root: Path, run_id: str) -> Path:
    return root / "runs" / run_id


def session_path(root: Path, run_id: str, index: int) -> Path:
    return run_folder(root, run_id) / "sessions" / f"{index}.json"


def segment_path(root: Path, record: SessionRecord, day: dt.date, number: int) -> Path:
    """Unique by run, session and number: the same segment written twice is one file."""
    name = f"{record.run_id}-s{record.index:04d}-{number:06d}.parquet"
    return _partition(root, _PACKETS, record, day) / name


def histogram_path(root: Path, record: SessionRecord, day: dt.date) -> Path:
    return _partition(root, _HISTOGRAMS, record, day) / f"{record.run_id}-s{record.index:04d}.parquet"


def segment_files(
    root: Path, *, run_id: str | None = None, country: str | None = None, vendor: str | None = None
) -> list[SegmentFile]:
    """The stored segments by their names, in order of run, session and number; no file is opened.

    Other files (temporary ones, other people's) are passed over.
    """
    folder = root / _PACKETS
    if country is not None:
        folder = folder / f"country={partition_value(country)}"
        if vendor is not None:
            folder = folder / f"vendor={partition_value(vendor)}"
    return sorted(_matching(folder, run_id))


def _matching(folder: Path, run_id: str | None) -> Iterator[SegmentFile]:
    prefix = "*" if run_id is None else glob.escape(run_id)
    for path in folder.rglob(f"{prefix}-s*.parquet"):
        match = _SEGMENT.fullmatch(path.name)
        if match is not None and run_id in (None, match["run"]):
            yield SegmentFile(match["run"], int(match["session"]), int(match["number"]), path)


def utc_date(rows: Rows, record: SessionRecord) -> dt.date:
    """The UTC date on which the first of `rows` was due."""
    return _EPOCH + dt.timedelta(days=utc_day(int(rows["scheduled_ns"][0]), record))


def utc_day(scheduled_ns: int, record: SessionRecord) -> int:
    """Days since 1970-01-01 UTC of a time of the client's monotonic clock."""
    return (scheduled_ns + record.wall_offset_ns) // DAY_NS


def partition_value(text: str) -> str:
    """`text` as the value of a Hive partition folder: one path component, different texts differ."""
    raw = text.encode(errors="surrogatepass")
    value = quote(raw, safe=" ")
    if len(value) <= _VALUE_WIDTH:
        return value
    digest = hashlib.sha256(raw).hexdigest()[:16]
    return f"{value[: _VALUE_WIDTH - 17]}~{digest}"


def _partition(root: Path, table: str, record: SessionRecord, day: dt.date) -> Path:
    country = f"country={partition_value(record.country)}"
    vendor = f"vendor={partition_value(record.vendor)}"
    return root / table / country / vendor / f"date={day.isoformat()}"
