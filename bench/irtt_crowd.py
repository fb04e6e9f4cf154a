"""Many irtt clients at once, as many as there are calls."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from typing import Any

import numpy as np

from bench.comparison import Sample
from bench.irtt import client_command, irtt_server, parse_output
from bench.processes import cpu_ns, finish, running
from bench.product import CLIENT_CPU, OTHER_CPU
from bench.session import CALL_NS, PACKET_BYTES

SETTLE_S = 0.5


def crowd(clients: int, seconds: float) -> Sample:
    """`clients` calls of one irtt client each to one server: what was due, sent, lost, and how late."""
    with irtt_server(cpu=OTHER_CPU) as (_, address), ExitStack() as stack:
        command = client_command(
            address, interval="20ms", seconds=seconds, packet_bytes=PACKET_BYTES, json_out=True
        )
        children = [stack.enter_context(running(*command, cpu=CLIENT_CPU)) for _ in range(clients)]
        results = [parse_output(finish(child, seconds + 30)) for child in children]
    due = clients * math.floor(seconds * 1e9 / CALL_NS)
    sent = sum(result["stats"]["packets_sent"] for result in results)
    received = sum(result["stats"]["packets_received"] for result in results)
    late = np.sort(np.concatenate([_lateness_ms(result) for result in results]))
    return {
        "sent_share": sent / due,
        "lost": float(sent - received),
        "lateness_p99_ms": float(late[int(len(late) * 0.99)]),
    }


def _lateness_ms(result: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """By irtt's own send times: how far each packet is from a grid that begins with the first."""
    sent = np.array([trip["timestamps"]["client"]["send"]["monotonic"] for trip in result["round_trips"]])
    number = np.array([trip["seqno"] for trip in result["round_trips"]])
    late: np.ndarray[Any, np.dtype[np.float64]] = np.abs(sent - sent[0] - number * CALL_NS) / 1e6
    return late


def crowd_cpu_us_a_packet(clients: int, seconds: float) -> float:
    """CPU time of a client for each packet that is due, start and end of the processes left out."""
    with irtt_server(cpu=OTHER_CPU) as (_, address), ExitStack() as stack:
        command = client_command(
            address,
            interval="20ms",
            seconds=seconds + 3 * SETTLE_S,
            packet_bytes=PACKET_BYTES,
            json_out=False,
        )
        children = [stack.enter_context(running(*command, cpu=CLIENT_CPU)) for _ in range(clients)]
        time.sleep(SETTLE_S)
        before, start = [cpu_ns(child.pid) for child in children], time.monotonic_ns()
        time.sleep(seconds)
        after, end = [cpu_ns(child.pid) for child in children], time.monotonic_ns()
    return (sum(after) - sum(before)) / 1e3 / (clients * (end - start) / CALL_NS)
