"""Reflecting as fast as one CPU can: the node's media process, a C echo loop, the irtt server.

Ours lets ten replies go through the system as one (probe/net/segments.py), as `C, in tens` does: that is the limit.

All get the same stream of one client's packets, faster than they reflect. Replies go back to a socket that
nobody reads, whose count of drops counts them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from functools import partial

from bench.blast import blast
from bench.bound import bind_by_hand, media_packets
from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.irtt import forged_sender, irtt_server
from bench.limit import limit_program
from bench.processes import cpu_ns, running
from bench.product import CLIENT_CPU, OTHER_CPU, node
from bench.recorder import dropped, enlarge
from bench.session import PACKET_BYTES, calls, grant_for
from probe.methods.schedule import StreamSpec

RATE_PPS = 1_200_000.0
STREAMS = 1000
HEAD_S = 0.3
BUFFER_BYTES = 8 << 20
METRIC = "packets_per_cpu_second"
C_ECHO, C_TENS, IRTT = "C echo", "C, in tens", "irtt server"


def comparison() -> Comparison:
    return Comparison(
        "reflect",
        "reflector with kernel stamps and checks, 200 B",
        {PROBE: probe, C_ECHO: c_echo, C_TENS: partial(c_echo, mode="answer"), IRTT: irtt},
        (
            Goal("packets per CPU second", METRIC, 0.9, C_ECHO, least=True, limit_by=C_TENS),
            Goal("packets per CPU second", METRIC, 1.4, IRTT, least=True, limit_by=C_TENS),
        ),
    )


def probe(effort: Effort) -> Sample:
    return asyncio.run(_probe(effort))


async def _probe(effort: Effort) -> Sample:
    window_s = _window_s(effort)
    spec = _spec(window_s)
    async with node(cpu=CLIENT_CPU) as peer:
        grant = peer.open(spec)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(peer.address)
            bind_by_hand(sock, grant, peer.address)
            packets = media_packets(grant, spec, PACKET_BYTES)
            sample = await asyncio.to_thread(_reflected, peer.pid, sock, packets, window_s)
        report = peer.report(grant)
    return sample | {f"node_{name}": float(count) for name, count in report.items()}


def c_echo(effort: Effort, mode: str = "echo") -> Sample:
    """C under the blast."""
    window_s = _window_s(effort)
    spec = _spec(window_s)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        echo.bind(("127.0.0.1", 0))
        enlarge(echo, BUFFER_BYTES)
        sock.connect(echo.getsockname())
        packets = media_packets(grant_for(spec, 1), spec, PACKET_BYTES)
        command = (limit_program(), mode, str(window_s + 10), str(echo.fileno()))
        with running(*command, cpu=CLIENT_CPU, fds=(echo.fileno(),)) as child:
            return _reflected(child.pid, sock, packets, window_s)


def irtt(effort: Effort) -> Sample:
    window_s = _window_s(effort)
    with irtt_server(cpu=CLIENT_CPU) as (pid, address):
        sock, packets = forged_sender(address, PACKET_BYTES, int(RATE_PPS * (window_s + 2 * HEAD_S)))
        with sock, os.fdopen(packets):
            return _reflected(pid, sock, packets, window_s)


def _window_s(effort: Effort) -> float:
    return effort.seconds / 4


def _spec(window_s: float) -> StreamSpec:
    """As many packets as the blast has, each once: a reflector does not answer a packet it has seen."""
    packets = int(RATE_PPS * (window_s + 2 * HEAD_S)) // STREAMS
    return calls(STREAMS, packets * 0.02)


def _reflected(pid: int, sock: socket.socket, packets: int, window_s: float) -> Sample:
    """Packets that the process answers for a second of its CPU time, within a part of the blast."""
    with blast(
        sock, packets, PACKET_BYTES, rate_pps=RATE_PPS, seconds=window_s + 2 * HEAD_S, cpu=OTHER_CPU
    ) as sender:
        wait_for_drops(sock, sender)
        time.sleep(HEAD_S / 2)
        cpu, answers, start = cpu_ns(pid), dropped(sock), time.monotonic()
        time.sleep(window_s)
        cpu, answers, wall = cpu_ns(pid) - cpu, dropped(sock) - answers, time.monotonic() - start
    return {METRIC: answers / cpu * 1e9, "cpu_share": cpu / wall / 1e9, "packets": answers}


def wait_for_drops(sock: socket.socket, sender: subprocess.Popen[str]) -> None:
    """Return when the queue of `sock` is full and counts; RuntimeError when the blast ends before."""
    while not dropped(sock):
        if sender.poll() is not None:
            raise RuntimeError("the blast ended and nothing came back")
        time.sleep(0.002)
