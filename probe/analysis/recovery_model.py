"""What a remedy can do at best, by formula: retransmission, copies, and erasure codes.

`p` is the loss of the direction of the media, `q` that of the way back, both fractions and independent
from packet to packet.
"""

from __future__ import annotations

import math

RTCP_OVERHEAD_BYTES = {True: 124, False: 120}
"""RFC 4588 A.3: size of a compound packet with and without a generic NACK, before its N entries."""


def repair_after(interval: float, rtt: float, attempt: int = 1) -> float:
    """When the n-th retransmission arrives after the packet was due, in the units given.

    The packet that follows reveals the gap; each attempt takes a round trip (libwebrtc repeats a request
    once per RTT, on a tick of up to 20 ms).
    """
    return interval + attempt * rtt


def attempts_within(deadline: float, interval: float, rtt: float) -> int:
    """Retransmissions that arrive within the deadline: floor((D - interval) / RTT)."""
    return max(0, math.floor((deadline - interval) / rtt))


def residual_retransmitted(p: float, attempts: int, q: float = 0.0) -> float:
    """p (1 - (1 - p)(1 - q))^k: the packet, and each request or its answer, was lost."""
    return p * (1 - (1 - p) * (1 - q)) ** attempts


def residual_copies(p: float, copies: int) -> float:
    """p^n: all of the copies lost."""
    return p**copies


def copies_for(p: float, residual: float) -> int:
    """Fewest copies that leave no more than this share missing. ValueError if none can."""
    if not (0 <= p < 1 and residual > 0):
        raise ValueError("copies help against a loss below 100 %, and leave a residual above 0 %")
    if p <= residual:
        return 1
    n = math.floor(math.log(residual) / math.log(p))
    return n if p**n <= residual * (1 + 1e-12) else n + 1


def residual_erasure(p: float, media: int, repair: int) -> float:
    """Of an ideal code of k media and r repair packets: lost in a block with more than r losses."""
    n = media + repair
    return sum(
        math.comb(n, lost) * p**lost * (1 - p) ** (n - lost) * lost / n for lost in range(repair + 1, n + 1)
    )


def retransmission_buffer(
    attempts: int, rtt: float, bandwidth_bps: float, *, generic_nack: bool = True
) -> float:
    """Seconds of buffer for N retransmissions where RTCP keeps to 5 % of the bandwidth (RFC 4588 A.3).

    The mean interval of a minimal RTCP packet of a session of two limits how soon each can be asked for.
    """
    size = RTCP_OVERHEAD_BYTES[generic_nack] + (4 * attempts / 3 if generic_nack else 0)
    return attempts * (rtt + 1.2312 * size * 8 * 3 / (0.05 * bandwidth_bps))


def head_of_line_delays(
    interval: float, rtt: float, one_way: float | None = None, ack_delay: float = 0.0
) -> list[float]:
    """Delays of the messages of one QUIC stream from one that is lost on, in the units given; the loss alone.

    RFC 9002 6.1: lost when three later packets were acknowledged, or one sent 9/8 round trips after it. It comes a
    one-way delay after that (half the round trip unless given), and those behind it not before.
    """
    way = rtt / 2 if one_way is None else one_way
    detected = max(interval + rtt + ack_delay, min(rtt * 9 / 8, 3 * interval + rtt + ack_delay))
    late = math.ceil(detected / interval)
    return [max(way, detected + way - at * interval) for at in range(late)]
