"""What an RTCP receiver report says of the same packets (RFC 3550 6.4.1, A.3).

By its definition duplicates are received packets, so one hides a loss (A.3: the count lost may even be
negative). Our own loss counts first copies only.
"""

from __future__ import annotations

from probe.analysis.burst_gap import in_256ths
from probe.analysis.series import Series

FIXED_POINT = 65536
"""LSR and DLSR are 16.16 seconds."""


def expected_and_received(series: Series) -> tuple[int, int]:
    """Packets from the lowest to the highest number that arrived, and copies of them that did (A.3)."""
    if len(series.order) == 0:
        return 0, 0
    seq = series.seq[series.order]
    return int(seq.max() - seq.min()) + 1, len(seq) + series.duplicates


def cumulative_lost(expected: int, received: int) -> int:
    """As a signed 24-bit number (6.4.1); negative with more duplicates than losses."""
    return max(-0x800000, min(0x7FFFFF, expected - received))


def fraction_lost(expected: int, received: int) -> int:
    """In 256ths, of the packets expected since the report before (A.3); never negative."""
    return in_256ths(max(0, expected - received), expected)


def round_trip(arrival: int, delay_since_last: int, last_report: int) -> float:
    """Seconds, from the middle 32 bits of NTP times in 1/65536 s: A - DLSR - LSR (6.4.1, figure 2)."""
    return ((arrival - delay_since_last - last_report) & 0xFFFFFFFF) / FIXED_POINT
