"""Receiving with kernel stamps, fed beyond capacity: the product's socket, a C loop, asyncio."""

from __future__ import annotations

import json
import socket
import sys

from bench.blast import blast
from bench.bound import media_packets
from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.limit import limit_program
from bench.processes import finish, running
from bench.product import CLIENT_CPU, OTHER_CPU
from bench.session import PACKET_BYTES, calls, grant_for

RATE_PPS = 1_600_000
METRIC = "packets_per_cpu_second"
C_RECVMMSG, ASYNCIO = "C recvmmsg", "asyncio"


def comparison() -> Comparison:
    return Comparison(
        "receive",
        "receive with kernel stamps, 200 B",
        {
            PROBE: lambda effort: _fed((sys.executable, "-m", "bench.receivers", "probe"), effort),
            C_RECVMMSG: lambda effort: _fed((limit_program(), "receive"), effort),
            ASYNCIO: lambda effort: _fed((sys.executable, "-m", "bench.receivers", "asyncio"), effort),
        },
        (
            Goal("packets per CPU second", METRIC, 0.8, C_RECVMMSG, least=True),
            Goal("packets per CPU second", METRIC, 20.0, ASYNCIO, least=True, limit_by=C_RECVMMSG),
        ),
    )


def _packets() -> int:
    spec = calls(100, 10)
    return media_packets(grant_for(spec, 1, packets=500), spec, PACKET_BYTES)


def _fed(receiver: tuple[str, ...], effort: Effort) -> Sample:
    """Run a receiver `... SECONDS FD` on a socket into which a sender pours all it can."""
    seconds = effort.seconds / 2
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        sender.connect(sock.getsockname())
        sock.connect(sender.getsockname())  # as the client's socket is
        with (
            blast(sender, _packets(), PACKET_BYTES, rate_pps=RATE_PPS, seconds=seconds + 5, cpu=OTHER_CPU),
            running(
                *receiver, str(seconds), str(sock.fileno()), cpu=CLIENT_CPU, fds=(sock.fileno(),)
            ) as child,
        ):
            done = json.loads(finish(child, seconds + 15))
    return {METRIC: done["packets"] / done["cpu_ns"] * 1e9}
