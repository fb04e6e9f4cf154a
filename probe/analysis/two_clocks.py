"""What four times of one exchange say of two clocks and the path (RFC 5905 8), and what they cannot.

The estimated offset takes half the round trip for each way. The true split is not in the times: the offset may lie
anywhere within half a round trip of the estimate, and the one-way delay anywhere from 0 to all of it. So delays of
one direction are never told, only bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probe.metrics import NEVER, Rows


@dataclass(frozen=True, slots=True)
class Exchange:
    """T1 sent, T2 arrived there, T3 sent back, T4 arrived here; T2 and T3 by the other clock. Any one unit."""

    t1: float
    t2: float
    t3: float
    t4: float

    @property
    def offset(self) -> float:
        """Theta: how far the other clock is ahead, were both ways alike."""
        return ((self.t2 - self.t1) + (self.t3 - self.t4)) / 2

    @property
    def round_trip(self) -> float:
        """Delta, without the time spent there. A clock that runs fast can make it negative: 0 then."""
        return max(0.0, (self.t4 - self.t1) - (self.t3 - self.t2))

    @property
    def offsets(self) -> tuple[float, float]:
        """Between which the true offset lies."""
        return self.offset - self.round_trip / 2, self.offset + self.round_trip / 2


def least_round_trip(rows: Rows) -> int | None:
    """Of a session's packets that came back, in ns; None if none did. No one-way delay's minimum is longer."""
    times = [rows[name] for name in ("sent_ns", "node_received_ns", "node_sent_ns", "received_ns")]
    whole = np.logical_and.reduce([time != NEVER for time in times])
    if not whole.any():
        return None
    sent, there, back, received = (time[whole] for time in times)
    return max(0, int(((received - sent) - (back - there)).min()))
