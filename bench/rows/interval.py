"""How evenly the packets of one call leave: intervals on loopback as a capture sees them, for both alike.

Of the C limit by its transmit stamps, which are taken a moment later.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.irtt import irtt_client, irtt_server
from bench.limit_call import call_in_c
from bench.product import node, run_session, worker
from bench.quantiles import quantiles
from bench.recorder import Recording, capture, recorded
from bench.session import CALL_NS, PACKET_BYTES, calls

IRTT, C_CALL = "irtt", "C call"
SENT = "sent_of_due"
_Choice = Callable[[Recording], NDArray[np.bool_]]


def comparison() -> Comparison:
    return Comparison(
        "interval",
        "interval jitter of one call at 20 ms, unprivileged",
        {PROBE: probe, IRTT: irtt, C_CALL: c_call},
        (
            Goal("p50", "p50_us", 1 / 10, IRTT, unit="us", limit_by=C_CALL),
            Goal("p99", "p99_us", 1 / 2, IRTT, unit="us", limit_by=C_CALL),
            Goal("due packets sent", SENT, 1.0, least=True),
        ),
    )


def probe(effort: Effort) -> Sample:
    return asyncio.run(_probe(effort.seconds))


async def _probe(seconds: float) -> Sample:
    spec = calls(1, seconds)
    async with node() as peer, worker() as client:
        with capture(peer.address[1]) as wire:
            exchange = await run_session(spec, peer, client)
            return _jitter(_captured(wire, _is_media), len(exchange.rows))


def irtt(effort: Effort) -> Sample:
    seconds = effort.seconds
    with irtt_server() as (_, address), capture(address[1]) as wire:
        irtt_client(address, interval="20ms", seconds=seconds, packet_bytes=PACKET_BYTES)
        return _jitter(_captured(wire, _is_echo_request), int(seconds * 1e9 / CALL_NS))


def c_call(effort: Effort) -> Sample:
    return _jitter(call_in_c(1, effort.seconds).left_ns, int(effort.seconds * 1e9 / CALL_NS))


def _captured(wire: socket.socket, chosen: _Choice) -> NDArray[np.int64]:
    recording = recorded(wire)
    return recording.time_ns[chosen(recording)]


def _jitter(left_ns: NDArray[np.int64], due: int) -> Sample:
    jitter = np.abs(np.diff(left_ns) - CALL_NS) / 1e3
    return quantiles(jitter, "us") | {SENT: len(left_ns) / due}


def _is_media(recording: Recording) -> NDArray[np.bool_]:
    """RTP, not the bind before it, which is RTCP (RFC 5761 4)."""
    kind: NDArray[np.bool_] = (recording.data[:, 1] < 192) | (recording.data[:, 1] > 223)
    return kind


def _is_echo_request(recording: Recording) -> NDArray[np.bool_]:
    """Without flags: neither the opening nor the closing."""
    plain: NDArray[np.bool_] = recording.data[:, 3] == 0
    return plain
