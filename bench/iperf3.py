"""iperf3, the peer for throughput."""

from __future__ import annotations

import json
import math
import socket

from bench.comparison import Sample
from bench.ports import wait_until_bound
from bench.processes import require, run, running


def udp_sender(seconds: float, packet_bytes: int, *, sender_cpu: int, receiver_cpu: int) -> Sample:
    """A sender without a rate limit to a server on loopback: datagrams, and the sender's CPU time."""
    program = require("iperf3")
    port = _free_tcp_port()
    with running(program, "-s", "-1", "-p", str(port), "-B", "127.0.0.1", cpu=receiver_cpu):
        wait_until_bound("tcp", port)
        command = (program, "-c", "127.0.0.1", "-p", str(port), "-u", "-b", "0", "-l", str(packet_bytes))
        done = run(*command, "-t", str(math.ceil(seconds)), "-J", timeout=seconds + 15, cpu=sender_cpu)
    packets = json.loads(done.stdout)["end"]["sum"]["packets"]
    return {"packets_per_cpu_second": packets / done.cpu_ns * 1e9, "packets": packets}


def _free_tcp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
