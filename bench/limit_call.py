"""The C limit of a call (limit_call.c): kernel stamps of every packet at both ends, and the caller's CPU time."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.limit import limit_program
from bench.processes import finish, run, running
from bench.product import CLIENT_CPU, OTHER_CPU
from bench.recorder import enlarge
from bench.session import CALL_NS

TICK_NS = 250_000
"""How often a thousand calls look at the clock; one call looks when its packet is due."""
BUFFER_BYTES = 8 << 20
SILENCE_S = 0.5


@dataclass(frozen=True, slots=True)
class CallInC:
    """Round trips without what the other end held the packet for, when packets left, and the caller's cost."""

    round_trip_us: NDArray[np.float64]
    left_ns: NDArray[np.int64]
    cpu_us_a_packet: float


def call_in_c(calls: int, seconds: float, *, interval_ns: int = CALL_NS, pin: bool = False) -> CallInC:
    program = limit_program("limit_call")
    packets = int(seconds * 1e9 / interval_ns) * calls
    cpus = (CLIENT_CPU, OTHER_CPU) if pin else (None, None)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as answers,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        os.fdopen(os.memfd_create("answered"), "r+b") as answered,
        os.fdopen(os.memfd_create("called"), "r+b") as called,
    ):
        answers.bind(("127.0.0.1", 0))
        sock.connect(answers.getsockname())
        for each in (answers, sock):
            enlarge(each, BUFFER_BYTES)
        theirs, ours = (answers.fileno(), answered.fileno()), (sock.fileno(), called.fileno())
        answering = (program, "answer", str(SILENCE_S), *map(str, theirs), str(packets))
        calling = (
            program,
            "call",
            str(seconds),
            *map(str, ours),
            str(calls),
            str(interval_ns),
            str(_tick(calls)),
        )
        with running(*answering, cpu=cpus[1], fds=theirs) as child:
            done = json.loads(run(*calling, timeout=seconds + 10, cpu=cpus[0], fds=ours).stdout)
            finish(child, SILENCE_S + 5)
        there = _times(called.fileno(), packets)
        trips = _round_trips_us(there, _times(answered.fileno(), packets))
    return CallInC(trips, there[there[:, 0] > 0, 0], done["cpu_ns"] / done["packets"] / 1e3)


def _tick(calls: int) -> int:
    return TICK_NS if calls > 1 else 0


def _times(fd: int, packets: int) -> NDArray[np.int64]:
    """(packets, 2) when each left this end, and when it arrived here; 0 for never."""
    return np.frombuffer(os.pread(fd, packets * 16, 0), np.int64).reshape(-1, 2)


def _round_trips_us(called: NDArray[np.int64], answered: NDArray[np.int64]) -> NDArray[np.float64]:
    known = (called > 0).all(axis=1) & (answered > 0).all(axis=1)
    away, held = called[known, 1] - called[known, 0], answered[known, 0] - answered[known, 1]
    trips: NDArray[np.float64] = (away - held) / 1e3
    return trips
