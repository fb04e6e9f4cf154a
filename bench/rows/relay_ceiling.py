"""How much the relay forwards when it is offered more than it can, against a C loop without any delay."""

from __future__ import annotations

import asyncio
import socket
import time

from bench.blast import blast
from bench.bound import media_packets
from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.limit import limit_program
from bench.priority import prefer
from bench.processes import cpu_ns, pinned, running
from bench.product import CLIENT_CPU, OTHER_CPU
from bench.recorder import dropped, enlarge
from bench.rows.reflect import BUFFER_BYTES, RATE_PPS, wait_for_drops
from bench.rows.relay_error import DOWN, UP
from bench.session import PACKET_BYTES, SEED, calls, grant_for
from probe.net.address import Address
from probe.net.relay import Relay

HEAD_S = 0.3
METRIC = "packets_per_cpu_second"
C_FORWARD = "C receive and send"


def comparison() -> Comparison:
    return Comparison(
        "relay-ceiling",
        "relay ceiling, 200 B",
        {PROBE: probe, C_FORWARD: c_forward},
        (Goal("packets per CPU second", METRIC, 0.6, C_FORWARD, least=True),),
    )


def probe(effort: Effort) -> Sample:
    return asyncio.run(_probe(effort.seconds / 3))


async def _probe(window_s: float) -> Sample:
    with _unread() as behind:
        with pinned(CLIENT_CPU):
            relay = await Relay.open(behind.getsockname(), UP, DOWN, SEED)
        prefer(relay._child.pid)
        try:
            return await asyncio.to_thread(_forwarded, relay._child.pid, relay.address, behind, window_s)
        finally:
            await relay.stop()


def c_forward(effort: Effort) -> Sample:
    program, window_s = limit_program(), effort.seconds / 3
    with (
        _unread() as behind,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as into,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
    ):
        into.bind(("127.0.0.1", 0))
        enlarge(into, BUFFER_BYTES)
        out.connect(behind.getsockname())
        fds = into.fileno(), out.fileno()
        with running(
            program, "forward", str(window_s + 10), *map(str, fds), cpu=CLIENT_CPU, fds=fds
        ) as child:
            return _forwarded(child.pid, into.getsockname(), behind, window_s)


def _unread() -> socket.socket:
    """A socket whose short queue is full at once: from then on its drops count what arrives."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def _forwarded(pid: int, into: Address, behind: socket.socket, window_s: float) -> Sample:
    """Packets that the process forwards for a second of its CPU time."""
    spec = calls(1000, 2.0)
    packets = media_packets(grant_for(spec, 1), spec, PACKET_BYTES)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(into)
        with blast(
            sender, packets, PACKET_BYTES, rate_pps=RATE_PPS, seconds=window_s + 3 * HEAD_S, cpu=OTHER_CPU
        ) as child:
            wait_for_drops(behind, child)
            time.sleep(HEAD_S)
            cpu, count, start = cpu_ns(pid), dropped(behind), time.monotonic()
            time.sleep(window_s)
            cpu, count, wall = cpu_ns(pid) - cpu, dropped(behind) - count, time.monotonic() - start
    return {METRIC: count / cpu * 1e9, "cpu_share": cpu / wall / 1e9, "packets": float(count)}
