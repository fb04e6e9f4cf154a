"""What the two ends of a stream said of it in RTCP, as seen where it was captured.

The round trip is from the point of capture to the receiver and back: the receiver's report minus the sender's, both
seen there, minus the time the receiver waited (RFC 3550 6.4.1, figure 2, with the times of capture for A and LSR). It
is the whole round trip only of a capture at the sender.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from probe.analysis.population import Population
from probe.analysis.receiver_report import FIXED_POINT
from probe.analysis.results import Distribution
from probe.analysis.rtp_streams import RtpStream
from probe.records import Json
from probe.wire.datagrams import Endpoint
from probe.wire.rtcp import ReportBlock, SenderReport
from probe.wire.rtcp_capture import SeenReport

UNIX_EPOCH_S = 2_208_988_800
"""In NTP's seconds, which count from 1900."""
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RtcpFacts:
    """`remote` is the newest report of the receiver. `sender_hz` is the sender's RTP clock by its own NTP clock.

    `sender_time_ms` is when the newest sender report says its time stamp was, since 1970.
    """

    sender_reports: int
    sender_hz: float | None
    sender_time_ms: float | None
    receiver_reports: int
    remote: ReportBlock | None
    remote_jitter_max: int
    clock_hz: int
    round_trip: Distribution

    def to_json(self) -> Json:
        remote = self.remote
        return {
            "sender_reports": self.sender_reports,
            "sender_clock_hz": self.sender_hz,
            "sender_time_ms": self.sender_time_ms,
            "receiver_reports": self.receiver_reports,
            "remote": None
            if remote is None
            else {
                "lost": remote.cumulative_lost,
                "fraction_lost": remote.fraction_lost / 256,
                "jitter_ms": 1000 * remote.jitter / self.clock_hz,
                "jitter_max_ms": 1000 * self.remote_jitter_max / self.clock_hz,
            },
            "round_trip_ms": self.round_trip.to_json(),
        }


def sender_clocks(reports: Iterable[SeenReport]) -> dict[int, float]:
    """The RTP clock of each SSRC in Hz, from its first to its last sender report."""
    by_ssrc: dict[int, list[SenderReport]] = {}
    for seen in reports:
        if isinstance(seen.report, SenderReport):
            by_ssrc.setdefault(seen.report.ssrc, []).append(seen.report)
    rates = {ssrc: _rate(sent) for ssrc, sent in by_ssrc.items()}
    return {ssrc: rate for ssrc, rate in rates.items() if rate is not None}


def rtcp_facts(reports: Sequence[SeenReport], stream: RtpStream) -> RtcpFacts | None:
    """Of one stream; None where nobody reported anything of it."""
    sent = [seen for seen in reports if _is_of_sender(seen, stream)]
    heard = [
        (seen, block)
        for seen in reports
        if _at(seen.source, stream.destination)
        for block in seen.report.reports
        if block.ssrc == stream.ssrc
    ]
    if not sent and not heard:
        return None
    of_sender = [seen.report for seen in sent if isinstance(seen.report, SenderReport)]
    return RtcpFacts(
        sender_reports=len(sent),
        sender_hz=_rate(of_sender),
        sender_time_ms=_unix_ms(of_sender[-1].ntp) if of_sender else None,
        receiver_reports=len(heard),
        remote=heard[-1][1] if heard else None,
        remote_jitter_max=max((block.jitter for _, block in heard), default=0),
        clock_hz=stream.clock.hz,
        round_trip=_round_trips(sent, heard),
    )


def _round_trips(sent: Sequence[SeenReport], heard: Sequence[tuple[SeenReport, ReportBlock]]) -> Distribution:
    seen_at = {
        (seen.report.ntp >> 16) & 0xFFFFFFFF: seen.time_ns
        for seen in reversed(sent)
        if isinstance(seen.report, SenderReport)
    }
    times = [
        seen.time_ns - seen_at[block.last_sr] - block.delay_since_last_sr * SECOND_NS // FIXED_POINT
        for seen, block in heard
        if block.last_sr in seen_at
    ]
    return Population.of_ns(np.array([time for time in times if time >= 0], np.int64)).distribution()


def _is_of_sender(seen: SeenReport, stream: RtpStream) -> bool:
    return (
        isinstance(seen.report, SenderReport)
        and seen.report.ssrc == stream.ssrc
        and _at(seen.source, stream.source)
        and _at(seen.destination, stream.destination)
    )


def _at(rtcp: Endpoint, rtp: Endpoint) -> bool:
    """RTCP uses the port of RTP (RFC 5761) or the one above (RFC 3550 11)."""
    same_host = (rtcp.high, rtcp.low) == (rtp.high, rtp.low)
    return same_host and rtcp.port in (rtp.port, rtp.port + 1)


def _rate(reports: Sequence[SenderReport]) -> float | None:
    if len(reports) < 2 or reports[-1].ntp <= reports[0].ntp:
        return None
    stamps = np.array([report.rtp_timestamp for report in reports], np.uint32)
    ticks = int(np.diff(stamps).view(np.int32).astype(np.int64).sum())
    seconds = (reports[-1].ntp - reports[0].ntp) / 2**32
    return ticks / seconds if ticks > 0 else None


def _unix_ms(ntp: int) -> float:
    return 1000 * (ntp / 2**32 - UNIX_EPOCH_S)
