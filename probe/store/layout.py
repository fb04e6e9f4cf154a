"""Where everything lies under the results folder.

    runs/<run-id>/manifest.json, summary.json, verdict.json, sessions/<index>.json
    packets/country=ID/vendor=alpha/date=2026-11-22/<run-id>-s0003-000012.parquet
    hist/country=ID/vendor=alpha/date=2026-11-22/<run-id>-s0003.parquet

and, in place of many of them, `compact-<hash>.parquet` beside them (`probe.store.packs`).

`date` is the UTC date of the packets. The `name=value` folders are Hive partitions, so values are
percent-encoded as Hive does; DuckDB and Spark decode them.
"""

from __future__ import annotations

import datetime as dt
import glob
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from probe.metrics import Rows
from probe.records import SessionRecord

if TYPE_CHECKING:
    from probe.store.packs import Entry

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
MANIFEST = "manifest.json"
SUMMARY = "summary.json"
VERDICT = "verdict.json"
REMOVED = "removed.json"
PACKETS, HISTOGRAMS = "packets", "hist"
_SEGMENT = re.compile(r"(?P<run>.+)-s(?P<session>\d{4}|[1-9]\d{4,8})-(?P<number>\d{6}|[1-9]\d{6,8})\.parquet")
_HISTOGRAM = re.compile(r"(?P<run>.+)-s(?P<session>\d{4}|[1-9]\d{4,8})\.parquet")
_PACK = re.compile(r"compact-[0-9a-f]{16}\.parquet")
_VALUE_WIDTH = 100
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True, order=True)
class SegmentFile:
    """Where segment `number` of session `session` of run `run_id` is.

    `entry` is None for a file of its own, whose name says so; else its place in a compacted file.
    """

    run_id: str
    session: int
    number: int
    path: Path
    entry: Entry | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, int, int]:
        return self.run_id, self.session, self.number


@dataclass(frozen=True, slots=True, order=True)
class HistogramFile:
    """A file whose name says that it is the histogram of one session."""

    run_id: str
    session: int
    path: Path


def run_folder(root: Path, run_id: str) -> Path:
    return root / "runs" / run_id


def session_path(root: Path, run_id: str, index: int) -> Path:
    return run_folder(root, run_id) / "sessions" / f"{index}.json"


def segment_path(root: Path, record: SessionRecord, day: dt.date, number: int) -> Path:
    """Unique by run, session and number: the same segment written twice is one file."""
    name = segment_name(record.run_id, record.index, number)
    return _partition(root, PACKETS, record, day) / name


def segment_name(run_id: str, index: int, number: int) -> str:
    """Of a segment in a file of its own."""
    return f"{run_id}-s{index:04d}-{number:06d}.parquet"


def histogram_path(root: Path, record: SessionRecord, day: dt.date) -> Path:
    return _partition(root, HISTOGRAMS, record, day) / f"{record.run_id}-s{record.index:04d}.parquet"


def segment_files(
    root: Path, *, run_id: str | None = None, country: str | None = None, vendor: str | None = None
) -> list[SegmentFile]:
    """The segments in files of their own, by their names, in order of run, session and number.

    No file is opened; others (compacted, temporary, other people's) are passed over.
    """
    return sorted(_matching(_folder(root, PACKETS, country, vendor), run_id))


def pack_files(
    root: Path, table: str = PACKETS, *, country: str | None = None, vendor: str | None = None
) -> list[Path]:
    """The compacted files of `packets` or `hist`, by their names; no file is opened."""
    found = _folder(root, table, country, vendor).rglob("compact-*.parquet")
    return sorted(path for path in found if is_pack(path.name))


def histogram_files(root: Path) -> list[HistogramFile]:
    """The histograms in files of their own, by their names, in order of run and session."""
    return sorted(
        HistogramFile(*told, path)
        for path in (root / HISTOGRAMS).rglob("*-s*.parquet")
        if (told := parse_histogram(path.name))
    )


def pack_name(contents: Iterable[object]) -> str:
    """The same contents have the same name: compacting again writes the same file."""
    digest = hashlib.sha256("\n".join(map(repr, contents)).encode()).hexdigest()
    return f"compact-{digest[:16]}.parquet"


def parse_segment(name: str) -> tuple[str, int, int] | None:
    """Run, session and number of a segment in a file of its own; None for another name."""
    match = _SEGMENT.fullmatch(name)
    return match and (match["run"], int(match["session"]), int(match["number"]))


def parse_histogram(name: str) -> tuple[str, int] | None:
    """Run and session of a histogram in a file of its own; None for another name."""
    match = _HISTOGRAM.fullmatch(name)
    return match and (match["run"], int(match["session"]))


def is_pack(name: str) -> bool:
    """Whether this is the name of a compacted file."""
    return _PACK.fullmatch(name) is not None


def is_stored_name(name: str) -> bool:
    """Whether a file of this name under `packets` or `hist` is one of the store's."""
    return any(pattern.fullmatch(name) for pattern in (_SEGMENT, _HISTOGRAM, _PACK))


def partition_date(path: Path) -> dt.date | None:
    """The UTC date of the folder that a file lies in."""
    name, _, value = path.parent.name.partition("=")
    try:
        return dt.date.fromisoformat(value) if name == "date" else None
    except ValueError:
        return None


def partition(table: str, country: str | None, vendor: str | None) -> str:
    """The folder of a country and vendor (None: of all) from the results folder."""
    parts = [table]
    if country is not None:
        parts.append(f"country={partition_value(country)}")
        if vendor is not None:
            parts.append(f"vendor={partition_value(vendor)}")
    return "/".join(parts)


def _folder(root: Path, table: str, country: str | None, vendor: str | None) -> Path:
    return root / partition(table, country, vendor)


def _matching(folder: Path, run_id: str | None) -> Iterator[SegmentFile]:
    prefix = "*" if run_id is None else glob.escape(run_id)
    for path in folder.rglob(f"{prefix}-s*.parquet"):
        told = parse_segment(path.name)
        if told and run_id in (None, told[0]):
            yield SegmentFile(*told, path)


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
