"""What the relay adds to the delay that it is told to emulate, at 50,000 packets a second.

A capture stamps the packets on their way in, an unread socket behind the relay on their way out; the
emulated path's own model says when each was to leave.
"""

from __future__ import annotations

import asyncio
import socket

import numpy as np
from numpy.typing import NDArray

from bench.blast import blast
from bench.bound import media_packets
from bench.comparison import PROBE, Comparison, Effort, Goal, Sample
from bench.priority import prefer
from bench.processes import cpu_ns, finish, pinned
from bench.product import CLIENT_CPU, OTHER_CPU
from bench.quantiles import quantiles
from bench.recorder import INDEX_AT, SSRC_AT, Recording, capture, recorded, rtp_field, sink
from bench.session import CALL_NS, PACKET_BYTES, SEED, calls, grant_for
from probe.impairment.chain import Path
from probe.impairment.link import DROPPED
from probe.impairment.profile import Impairment, Loss
from probe.methods.schedule import SECOND_NS
from probe.net.relay import Relay

RATE_PPS = 50_000.0
UP = Impairment(20_000_000, 5_000_000, loss=Loss(0.01), ordered=False)
"""As netem without a rate: kept in order, a late packet would hold up hundreds that then leave at one instant."""
DOWN = Impairment()


def comparison() -> Comparison:
    return Comparison(
        "relay-error",
        "relay at 50 kpps: added error",
        {PROBE: probe},
        (Goal("p50", "p50_us", 50.0, unit="us"), Goal("p99", "p99_us", 500.0, unit="us")),
    )


def probe(effort: Effort) -> Sample:
    # Whole intervals, so that no packet is sent twice and taken for another.
    return asyncio.run(_relayed(int(effort.seconds * 2 / 3 * SECOND_NS) // CALL_NS * CALL_NS / SECOND_NS))


async def _relayed(seconds: float) -> Sample:
    spec = calls(1000, seconds)
    packets = media_packets(grant_for(spec, 1), spec, PACKET_BYTES)
    with sink() as behind, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        with pinned(CLIENT_CPU):
            relay = await Relay.open(behind.getsockname(), UP, DOWN, SEED)
        prefer(relay._child.pid)
        try:
            sender.connect(relay.address)
            with capture(relay.address[1]) as before:
                begin, cpu = asyncio.get_running_loop().time(), cpu_ns(relay._child.pid)
                await asyncio.to_thread(_feed, sender, packets, seconds)
                await asyncio.sleep(0.1)
                busy = (cpu_ns(relay._child.pid) - cpu) / (asyncio.get_running_loop().time() - begin) / 1e9
                error = _error_us(recorded(before), recorded(behind))
        finally:
            await relay.stop()
    return quantiles(error, "us") | {"relay_cpu_share": busy, "packets": float(len(error))}


def _feed(sender: socket.socket, packets: int, seconds: float) -> None:
    with blast(
        sender, packets, PACKET_BYTES, rate_pps=RATE_PPS, seconds=seconds, segments=1, cpu=OTHER_CPU
    ) as child:
        finish(child, seconds + 15)


def _error_us(before: Recording, behind: Recording) -> NDArray[np.float64]:
    """Time of leaving minus the time that the model gives for it, whatever its sign."""
    size = np.full(len(before.time_ns), PACKET_BYTES, np.int64)
    release_ns = Path.of([UP], [DOWN], SEED).up.push(before.time_ns, size).first(len(size))
    meant = release_ns != DROPPED
    order, at = np.unique(_names(before)[meant], return_index=True)
    found = np.searchsorted(order, _names(behind))
    if not meant.any() or (order[np.minimum(found, len(order) - 1)] != _names(behind)).any():
        raise RuntimeError("the relay let other packets through than its model")
    error: NDArray[np.float64] = np.abs(behind.time_ns - release_ns[meant][at][found]) / 1e3
    return error


def _names(recording: Recording) -> NDArray[np.int64]:
    """Which packet each is: stream and index in one number."""
    stream, index = rtp_field(recording.data, SSRC_AT), rtp_field(recording.data, INDEX_AT)
    return stream.astype(np.int64) << 32 | index
