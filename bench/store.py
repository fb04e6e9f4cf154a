"""The figures of the store in docs/results.md: python bench/store.py [--rows 100000000] [--folder DIR].

Writes that many packet records through the writer of `probe run` into a folder of its own (16 bytes each, and as
much again while it is compacted), compacts it, times the hour-by-vendor table from histograms and from packets,
each in a process of its own, and removes the folder. Also: what writing costs at 10,000 packets a second.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from probe.metrics import NEVER, Rows, empty_rows
from probe.records import COMPLETED, SessionRecord

MS = 1_000_000
START = dt.datetime(2026, 11, 8, tzinfo=dt.UTC)
VENDORS = ("alpha", "beta", "gamma", "delta")
DAYS = 14
PPS = 1000
SESSION_S = 60
CHILD = "--child"


def record(run_id: str, index: int, vendor: str, start: dt.datetime, pps: int) -> SessionRecord:
    return SessionRecord(
        run_id=run_id,
        index=index,
        country="ID",
        vendor=vendor,
        node="jkt-1",
        role="vendor",
        scenario="voice",
        network="clean",
        window="peak",
        transport="udp",
        endpoint="probe://jkt1.example:40000",
        emulated=False,
        seed=index,
        started_at=start.isoformat(),
        local_time=start.isoformat(),
        timezone="Asia/Jakarta",
        calls=pps // 50,
        packets=50 * SESSION_S,
        rate_pps=float(pps),
        interval_ns=20 * MS,
        duration_ns=SESSION_S * 1000 * MS,
        deadline_ns=200 * MS,
        one_way=False,
        nack=True,
        outcome=COMPLETED,
        wall_offset_ns=int(start.timestamp()) * 1000 * MS,
    )


def packets(rng: np.random.Generator, hour: int, count: int, pps: int) -> Rows:
    """A minute of some calls: 40 ms and more in the evening, one in two hundred lost."""
    calls = pps // 50
    rows = empty_rows(count)
    at = np.arange(count)
    rows["seq"], rows["stream"] = at // calls, at % calls
    rows["scheduled_ns"] = (at // calls) * (20 * MS) + (at % calls) * (20 * MS // calls)
    rows["sent_ns"] = rows["scheduled_ns"] + rng.integers(20_000, 90_000, count)
    evening = 1 + 0.6 * np.exp(-((((hour + 7) % 24) - 21) ** 2) / 8)
    there = (rng.lognormal(np.log(20 * evening), 0.25, count) * MS).astype(np.int64)
    back = (rng.lognormal(np.log(20), 0.1, count) * MS).astype(np.int64)
    rows["node_received_ns"] = rows["sent_ns"] + there + 5 * 10**12
    rows["node_sent_ns"] = rows["node_received_ns"] + rng.integers(10_000, 60_000, count)
    rows["received_ns"] = rows["node_sent_ns"] + back - 5 * 10**12
    rows["down_seq"], rows["size"], rows["stamps"] = rows["seq"], 172, 15
    lost = rng.random(count) < 0.005
    for name in ("node_received_ns", "node_sent_ns", "received_ns"):
        rows[name][lost] = NEVER
    rows["down_seq"][lost] = -1
    return rows


def fill(root: Path, rows: int) -> None:
    """The records, by sessions of a minute spread over two weeks; a run a day."""
    from probe.store.writer import RunWriter

    size = PPS * SESSION_S
    sessions = -(-rows // size)
    rng = np.random.default_rng(1)
    for day in range(DAYS):
        first, last = sessions * day // DAYS, sessions * (day + 1) // DAYS
        run_id = f"{(START + dt.timedelta(days=day)):%Y%m%dT%H%M%SZ}-{day:06x}"
        with RunWriter(root, {"run_id": run_id, "country": "ID", "sessions_planned": last - first}) as writer:
            for number in range(first, last):
                share = (number - first) / max(1, last - first)
                start = START + dt.timedelta(days=day, minutes=int(share * 24 * 60))
                told = record(run_id, number - first, VENDORS[number % len(VENDORS)], start, PPS)
                writer.add_rows(told, packets(rng, start.hour, min(size, rows - number * size), PPS))
                writer.finish_session(told)


def writing(root: Path) -> dict[str, float]:
    """What a minute at 10,000 packets a second costs the process that writes: CPU seconds a second."""
    from probe.store.writer import RunWriter

    rows = packets(np.random.default_rng(2), 20, 600_000, 10_000)
    run_id = "20261101T000000Z-ffffff"
    told = record(run_id, 0, "alpha", START, 10_000)
    with RunWriter(root, {"run_id": run_id, "country": "ID"}) as writer:
        writer.add_rows(told, rows[:10_000])  # imports and the first connection are not a rate
        before = time.process_time()
        for second in range(1, 60):
            writer.add_rows(told, rows[second * 10_000 : (second + 1) * 10_000])
        spent = time.process_time() - before
        writer.finish_session(told)
    return {"cpu_s_per_s": spent / 59, "cpu_us_per_row": spent / 590_000 * 1e6}


def merged_digest(root: Path, seed: int) -> str:
    """SHA-256 of all counts by vendor, hour and bucket, the histograms of the files added up in random order."""
    import random

    from probe.store.parquet import connect

    paths = sorted((root / "hist").rglob("*.parquet"))
    random.Random(seed).shuffle(paths)
    total: Counter[tuple[str, int, int]] = Counter()
    with connect() as connection:
        for path in paths:
            rows = connection.execute(
                "SELECT vendor, local_hour, bucket, count FROM read_parquet(?, hive_partitioning = false)",
                [str(path)],
            ).fetchall()
            random.Random(seed).shuffle(rows)
            for vendor, hour, bucket, count in rows:
                total[vendor, hour, bucket] += count
    return hashlib.sha256(repr(sorted(total.items())).encode()).hexdigest()


def child() -> None:
    """One step in a process of its own: wall and CPU seconds, peak memory and what it found, as JSON."""
    step, root = sys.argv[2], Path(sys.argv[3])
    start = time.perf_counter()
    found: object = None
    if step == "fill":
        fill(root, int(sys.argv[4]))
    elif step == "compact":
        from probe.store.tidying import tidy

        done = tidy(root, lambda _: None, dt.datetime.now(dt.UTC))
        found = {"written": done.files_written, "removed": done.files_removed, "problems": done.problems}
    else:
        from probe.store.hours import hours_from_histograms, hours_from_packets

        table = hours_from_histograms if step == "histograms" else hours_from_packets
        rows, problems = table(root)
        assert not problems, problems
        found = [
            [row.vendor, row.local_hour, row.n, row.lost, row.p50_ms, row.p95_ms, row.p99_ms] for row in rows
        ]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "wall_s": time.perf_counter() - start,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": peak_mb(),
        "found": found,
    }
    sys.stdout.write(json.dumps(told))


def peak_mb() -> float:
    """Of this program alone: the kernel's `ru_maxrss` begins with that of the parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def step(name: str, root: Path, *more: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, __file__, CHILD, name, str(root), *more],
        stdout=subprocess.PIPE,
        check=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    told: dict[str, object] = json.loads(done.stdout)
    shown = {key: round(float(str(told[key])), 2) for key in ("wall_s", "cpu_s", "peak_mb")}
    print(name, shown, flush=True)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(options.folder or tempfile.gettempdir()).free
    needed = options.rows * 50
    if free < needed:
        raise SystemExit(f"{needed / 1e9:.1f} GB of disk are needed, {free / 1e9:.1f} GB are free")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print("writing at 10,000 packets/s", writing(Path(folder) / "w"), flush=True)
        root = Path(folder) / "results"
        step("fill", root, str(options.rows))
        print("files", sum(1 for _ in root.rglob("*.parquet")), flush=True)
        print("compact found", step("compact", root)["found"], flush=True)
        files = list(root.rglob("*.parquet"))
        size = sum(path.stat().st_size for path in files)
        print("files", len(files), f"{size / 1e9:.2f} GB, {size / options.rows:.1f} B a row", flush=True)
        rough = step("histograms", root)["found"]
        exact = step("packets", root)["found"]
        assert isinstance(rough, list)
        assert isinstance(exact, list)
        assert [row[:4] for row in rough] == [row[:4] for row in exact]
        pairs = [pair for x, y in zip(rough, exact, strict=True) for pair in zip(x[4:], y[4:], strict=True)]
        assert all((a is None) == (b is None) for a, b in pairs)
        off = [abs(a / b - 1) for a, b in pairs if a is not None]
        digests = {merged_digest(root, seed) for seed in range(3)}
        assert len(digests) == 1
        print("histograms merged in three shuffled orders:", *digests)
        print(f"{len(exact)} rows; percentiles of histograms are off by {max(off):.4%} at most")


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        child()
    else:
        main()
