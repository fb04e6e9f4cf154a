"""Small stored runs, written as a measurement writes them: two vendors, peak and off-peak, on several days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from probe.metrics import Rows
from probe.store.writer import RunWriter
from tests.analysis.made import crossings
from tests.store.samples import RUN_ID, make_manifest, make_record

PACKETS = 600
DAYS = 6
VENDORS = {"alpha": 60.0, "beta": 60.0}
PLAN = Path("indonesia.yaml")

GATE = {"severity": "gate", "file": str(PLAN)}
RTT = {**GATE, "expr": "rtt.p95 < 200ms", "line": 41}
LOSS = {**GATE, "expr": "loss < 10%", "line": 42}


def write_run(
    root: Path,
    *thresholds: Mapping[str, Any],
    run_id: str = RUN_ID,
    vendors: Mapping[str, float] = VENDORS,
    evening_ms: Mapping[str, float] | None = None,
    days: int = DAYS,
    first_day: int = 0,
    seed: int = 1,
    **more: Any,
) -> str:
    """`vendors`: round trip of each, ms; `evening_ms`: how much more in its evening. Returns the run's id."""
    random = np.random.default_rng(seed)
    manifest = make_manifest(run_id, thresholds=[dict(item) for item in thresholds], emulated=False)
    manifest |= {"title": {"en": "Indonesia"}, "vantage": None, "evidence": {"min_packets": 500}, **more}
    index = 0
    with RunWriter(root, manifest) as writer:
        for day in range(first_day, first_day + days):
            for window, hour in (("offpeak", 5), ("peak", 20)):
                for vendor, rtt_ms in vendors.items():
                    at = datetime(2026, 11, 1, hour) + timedelta(days=day)  # noqa: DTZ001 - the node's own clock
                    record = make_record(
                        index,
                        run_id=run_id,
                        vendor=vendor,
                        window=window,
                        packets=PACKETS,
                        duration_ns=PACKETS * 20_000_000,
                        connect_ms=2 * rtt_ms,
                        local_time=f"{at.isoformat()}+07:00",
                        started_at=f"{(at - timedelta(hours=7)).isoformat()}+00:00",
                    )
                    more_ms = (evening_ms or {}).get(vendor, 0.0) if window == "peak" else 0.0
                    writer.add_rows(record, _rows(random, rtt_ms + more_ms))
                    writer.finish_session(record)
                    index += 1
    return run_id


def _rows(random: np.random.Generator, rtt_ms: float) -> Rows:
    """Independent delays, a level of the day's own, one packet in a hundred lost."""
    level = rtt_ms / 2 + random.normal(0, 0.5)

    def way() -> list[float | None]:
        delays = level + random.exponential(2, PACKETS)
        return [
            None if gone else float(ms)
            for ms, gone in zip(delays, random.random(PACKETS) < 0.005, strict=True)
        ]

    return crossings(way(), way())
