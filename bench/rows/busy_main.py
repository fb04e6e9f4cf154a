"""A thousand calls while the main interpreter, which started the worker, computes all the time, or not.

Packets go to a recorder, not to a node: two CPUs have room for the worker and the busy interpreter alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time

import numpy as np
from numpy.typing import NDArray

from bench.bound import Welcome
from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.product import run_job, worker
from bench.quantiles import quantiles
from bench.recorder import INDEX_AT, SSRC_AT, Recording, recorded, rtp_field, sink, wall_minus_monotonic_ns
from bench.session import calls, grant_for, job_for
from probe.metrics import Rows
from probe.wire import media

CALLS = 1000
IDLE = "probe, main idle"


def comparison() -> Comparison:
    return Comparison(
        "busy-main",
        "1,000 calls with the main interpreter 100 % busy: lateness",
        {IDLE: lambda effort: _run(effort, busy=False), PROBE: lambda effort: _run(effort, busy=True)},
        (Goal("p99", "p99_us", 3.0, IDLE, unit="us"),),
    )


def _run(effort: Effort, *, busy: bool) -> Sample:
    return asyncio.run(_lateness(effort.seconds, busy=busy))


async def _lateness(seconds: float, *, busy: bool) -> Sample:
    spec = calls(CALLS, seconds)
    grant = grant_for(spec, 1)
    with sink() as sock:
        async with worker() as client:
            stopped = threading.Event()
            welcome = threading.Thread(target=Welcome(sock, grant).serve, args=(stopped,))
            welcome.start()
            computing = asyncio.create_task(_compute_after(welcome)) if busy else None
            try:
                job = job_for(spec, grant, sock.getsockname())
                rows, _, _, _ = await run_job(job, client, spec, stop_when_sent=True)
            finally:
                stopped.set()
                welcome.join()
                if computing:
                    computing.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await computing
        late = _late_us(recorded(sock), rows)
    return quantiles(late, "us") | {"unsent": float(np.count_nonzero(rows["unsent"]))}


async def _compute_after(welcome: threading.Thread) -> None:
    """Python work in slices of a millisecond, as a busy asyncio program has it, once the worker is bound."""
    while welcome.is_alive():  # noqa: ASYNC110 (a thread)
        await asyncio.sleep(0.002)
    while True:
        end = time.perf_counter() + 0.001
        while time.perf_counter() < end:
            json.dumps({"a": [1, 2, (3, 4)], "b": {"c": 1}})
        await asyncio.sleep(0)


def _late_us(recording: Recording, rows: Rows) -> NDArray[np.float64]:
    """Arrival minus due time, whatever its sign, of each recorded media packet."""
    is_media = (recording.data[:, 1] < 192) | (recording.data[:, 1] > 223)  # RFC 5761 4
    stream = rtp_field(recording.data, SSRC_AT)[is_media] & media.SLOT_MASK
    index = rtp_field(recording.data, INDEX_AT)[is_media]
    due_ns = rows["scheduled_ns"][index.astype(np.int64) * CALLS + stream]
    arrived_ns = recording.time_ns[is_media] - wall_minus_monotonic_ns()
    late: NDArray[np.float64] = np.abs(arrived_ns - due_ns) / 1e3
    return late
