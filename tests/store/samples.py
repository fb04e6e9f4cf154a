"""Sessions and rows for the tests of the store, and a child process that writes a run until it is killed."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from probe.metrics import NEVER, Rows, empty_rows
from probe.records import COMPLETED, SessionRecord

RUN_ID = "20261122T120000Z-ab12cd"
STARTED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MONOTONIC_START = 7_000_000_000_000
WALL_OFFSET = int(STARTED.timestamp()) * 1_000_000_000 - MONOTONIC_START
MS = 1_000_000


def make_record(index: int = 0, **changes: Any) -> SessionRecord:
    """A session of vendor alpha that starts at 12:00 UTC, 19:00 in Jakarta."""
    fields: dict[str, Any] = {
        "run_id": RUN_ID,
        "index": index,
        "country": "ID",
        "vendor": "alpha",
        "node": "jkt-1",
        "role": "vendor",
        "scenario": "voice",
        "network": "clean",
        "window": "peak",
        "transport": "udp",
        "endpoint": "probe://jkt1.alpha.example:40000",
        "emulated": False,
        "seed": 1,
        "started_at": "2026-11-22T12:00:00+00:00",
        "local_time": "2026-11-22T19:00:00+07:00",
        "timezone": "Asia/Jakarta",
        "calls": 1,
        "packets": 1500,
        "rate_pps": 50.0,
        "interval_ns": 20 * MS,
        "duration_ns": 30_000 * MS,
        "deadline_ns": 200 * MS,
        "one_way": False,
        "nack": True,
        "outcome": COMPLETED,
        "wall_offset_ns": WALL_OFFSET,
    }
    return SessionRecord(**(fields | changes))


def make_manifest(run_id: str = RUN_ID, **more: Any) -> dict[str, Any]:
    return {"run_id": run_id, "started_at": "2026-11-22T12:00:00+00:00", "country": "ID", **more}


def make_rows(count: int, *, first: int = 0, interval_ns: int = 20 * MS, streams: int = 1) -> Rows:
    """`count` packets a stream, stream-major, from sequence number `first` on; every tenth is lost."""
    rows = empty_rows(count * streams)
    seq = np.tile(np.arange(first, first + count), streams)
    rows["seq"] = seq
    rows["stream"] = np.repeat(np.arange(streams), count)
    rows["scheduled_ns"] = MONOTONIC_START + seq * interval_ns
    rows["sent_ns"] = rows["scheduled_ns"] + 50_000
    rows["node_received_ns"] = 1_000 + seq * interval_ns
    rows["node_sent_ns"] = rows["node_received_ns"] + 30_000
    back = rows["sent_ns"] + 40 * MS + (seq * 7919 % 20_011) * 1000
    rows["received_ns"] = np.where(seq % 10 == 9, NEVER, back)
    rows["down_seq"] = np.where(seq % 10 == 9, -1, seq)
    rows["size"] = 172
    return rows


def query(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What any DuckDB user would get."""
    with _database().cursor() as connection:
        return connection.execute(sql, list(parameters)).fetchall()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for all queries, which remembers nothing of the files."""
    return duckdb.connect(config={"enable_external_file_cache": False})


def parquet_files(root: Path) -> list[Path]:
    return sorted((root / "packets").rglob("*.parquet"))


def write_until_killed(root: Path, kill_at: int) -> None:
    """Two sessions side by side, a second of packets at a time; prints what was handed over so far.

    With `kill_at` the process kills itself before it flushes for that time.
    """
    from probe.store.writer import RunWriter

    if kill_at:
        kill_before_flush(kill_at)
    with RunWriter(root, make_manifest()) as writer:
        for second in range(100_000):
            for index in (0, 1):
                writer.add_rows(make_record(index), make_rows(50, first=50 * second))
            sys.stdout.write(f"{50 * (second + 1)}\n")
            sys.stdout.flush()


def kill_before_flush(number: int) -> None:
    fsync, calls = os.fsync, itertools.count(1)

    def counted(descriptor: int) -> None:
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)

    os.fsync = counted  # type: ignore[assignment]


if __name__ == "__main__":
    write_until_killed(Path(sys.argv[1]), int(sys.argv[2]))
