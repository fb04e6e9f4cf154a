"""Sending as fast as one CPU can: the product's worker with as many calls as it can serve.

Beyond 150,000 packets a second it lets ten packets go through the system as one (probe/net/segments.py) and has the
kernel tell when the first of them left. `C, in tens` does the same, and is the limit; `C sendmmsg` sends one by one.
"""

from __future__ import annotations

import asyncio
import json
import socket
from functools import partial

from bench.bound import Sink
from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.iperf3 import udp_sender
from bench.limit import limit_program
from bench.processes import run
from bench.product import CLIENT_CPU, OTHER_CPU, run_job, worker
from bench.recorder import dropped, sink
from bench.session import PACKET_BYTES, calls, grant_for, job_for

FIRST_RATE_PPS, STEPS = 400_000.0, (1.1, 1.025)
"""Where the search for the most begins, and by what it goes on: first far, then nearer."""
TRIAL_S = 0.5
MAX_UNSENT = 0.001
MAX_CALLS = 65_535
QUEUE_BYTES = 64 << 20
METRIC = "packets_per_cpu_second"
C_SENDMMSG, C_TENS, IPERF3 = "C sendmmsg", "C, in tens", "iperf3"


def comparison() -> Comparison:
    return Comparison(
        "send",
        "send, packets per CPU second, 200 B",
        {
            PROBE: Busy(),
            C_SENDMMSG: c_sendmmsg,
            C_TENS: partial(c_sendmmsg, mode="tens"),
            IPERF3: iperf3,
        },
        (
            Goal("packets per CPU second", METRIC, 0.9, C_SENDMMSG, least=True, limit_by=C_TENS),
            Goal("packets per CPU second", METRIC, 1.2, IPERF3, least=True, limit_by=C_TENS),
        ),
    )


class Busy:
    """The product's worker with the most that it sends without giving up packets, as short trials show.

    Beyond that it would be measured at giving up.
    """

    def __init__(self) -> None:
        self._rate_pps = 0.0

    def __call__(self, effort: Effort) -> Sample:
        if not self._rate_pps:
            self._rate_pps = FIRST_RATE_PPS
            for step in STEPS:
                while asyncio.run(_probe(TRIAL_S, self._rate_pps * step))["unsent_share"] <= MAX_UNSENT:
                    self._rate_pps *= step
        while True:
            sample = asyncio.run(_probe(effort.seconds / 2, self._rate_pps))
            if sample["unsent_share"] <= MAX_UNSENT:
                return sample
            self._rate_pps /= STEPS[-1]  # the machine has become slower since the trials


async def _probe(seconds: float, rate_pps: float) -> Sample:
    spec = calls(min(int(rate_pps / 50), MAX_CALLS), seconds)
    grant = grant_for(spec, 1)
    with sink(QUEUE_BYTES) as sock, Sink(sock, OTHER_CPU, grant):
        async with worker(cpu=CLIENT_CPU) as client:
            job = job_for(spec, grant, sock.getsockname())
            rows, _, use, _ = await run_job(job, client, spec, stop_when_sent=True)
        drops = dropped(sock)
    return {
        METRIC: use.packets(rows) / use.cpu_ns * 1e9,
        "offered_pps": rate_pps,
        "unsent_share": float((rows["unsent"] != 0).mean()),
        "dropped": float(drops),
    }


def c_sendmmsg(effort: Effort, mode: str = "send") -> Sample:
    program = limit_program()
    with sink(QUEUE_BYTES) as sock, Sink(sock, OTHER_CPU):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(sock.getsockname())
            command = (program, mode, str(effort.seconds / 2), str(sender.fileno()), str(PACKET_BYTES))
            done = json.loads(run(*command, timeout=30, cpu=CLIENT_CPU, fds=(sender.fileno(),)).stdout)
        return {METRIC: done["packets"] / done["cpu_ns"] * 1e9, "dropped": float(dropped(sock))}


def iperf3(effort: Effort) -> Sample:
    return udp_sender(effort.seconds / 2, PACKET_BYTES, sender_cpu=CLIENT_CPU, receiver_cpu=OTHER_CPU)
