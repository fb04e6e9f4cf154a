"""`probe analyze` of ten million packets from a table: how long, and how much memory at most.

The rows stand in the order of sending, or as a receiver writes them: in order of arrival, many out of order, with
duplicates and without the lost.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.comparison import Comparison, Effort, Goal, Sample
from bench.priority import prefer

WALL, PEAK = "wall_s", "peak_gigabytes"
BY_SENDING = """
    SELECT i AS seq, i * 20000000 AS sent_ns,
        CASE WHEN i % 37 = 36 THEN NULL ELSE i * 20000000 + 40000000 + (i * 7919) % 5000000 END AS received_ns
    FROM range(10000000) numbers(i)
"""
BY_ARRIVAL = """
    WITH arrived AS (
        SELECT i AS seq, i * 20000000 AS sent_ns,
            i * 20000000 + 40000000 + (hash(i) % 65000000)::BIGINT AS received_ns
        FROM range(10000000) numbers(i) WHERE hash(i + 77) % 29 <> 0
    ), again AS (
        SELECT seq, sent_ns, received_ns + 1 + (hash(seq + 5) % 30000000)::BIGINT AS received_ns
        FROM arrived WHERE hash(seq + 3) % 100 = 0
    )
    SELECT * FROM (FROM arrived UNION ALL FROM again) ORDER BY received_ns, seq
"""


@dataclass(frozen=True, slots=True)
class Analysed:
    """The program on one file; the first call writes it."""

    name: str
    rows: str

    def __call__(self, _: Effort) -> Sample:
        file = _written(self.name, self.rows)
        command = (sys.executable, "-m", "probe", "analyze", str(file), "--json")
        started = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        prefer(child.pid)
        status, usage = os.wait4(child.pid, 0)[1:]  # of this child alone
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"{command!r} ended with {child.returncode}")
        return {WALL: wall, PEAK: usage.ru_maxrss * 1024 / 1e9}


SUBJECTS = {
    "CSV": Analysed("sending.csv", BY_SENDING),
    "CSV by arrival": Analysed("arrival.csv", BY_ARRIVAL),
    "Parquet": Analysed("sending.parquet", BY_SENDING),
    "Parquet by arrival": Analysed("arrival.parquet", BY_ARRIVAL),
}


def comparison() -> Comparison:
    return Comparison(
        "analyze",
        "`probe analyze`, 10 million packets",
        SUBJECTS,
        tuple(
            Goal(f"{name}, {what}", metric, limit, subject=name, unit=unit)
            for name in SUBJECTS
            for what, metric, limit, unit in (("wall", WALL, 10.0, "s"), ("peak memory", PEAK, 1.5, "GB"))
        ),
    )


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """For as long as this process lives."""
    return tempfile.TemporaryDirectory(prefix="bench-analyze-")


@cache
def _written(name: str, rows: str) -> Path:
    import duckdb

    path = Path(_folder().name) / name
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"COPY ({rows}) TO '{path}'")
    return path
