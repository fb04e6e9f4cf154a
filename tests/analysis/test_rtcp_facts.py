"""What two ends say of a stream in RTCP, seen between them."""

from __future__ import annotations

import pytest

from probe.analysis.rtcp_facts import UNIX_EPOCH_S, rtcp_facts, sender_clocks
from probe.analysis.rtp_streams import RtpStream, find_streams
from probe.wire.capture import read_pcap
from probe.wire.datagrams import read_datagrams
from probe.wire.rtcp import ReceiverReport, ReportBlock, SenderReport
from probe.wire.rtcp_capture import SeenReport, read_reports
from probe.wire.rtp_capture import told_apart
from tests.wire.captures import Frame, data_of, pcap, udp, voice

SSRC = 0x1234
AT_NS = 1_700_000_000_000_000_000
NTP = (1_700_000_000 + UNIX_EPOCH_S) << 32


def sender_report(seconds: int, rate: float = 8000.0, ssrc: int = SSRC) -> SenderReport:
    return SenderReport(ssrc, NTP + (seconds << 32), round(2**32 - 4000 + rate * seconds) % 2**32, 1, 160)


def seen(frames: list[Frame]) -> tuple[list[SeenReport], RtpStream]:
    data = data_of(pcap(sorted(frames)))
    datagrams, _ = read_datagrams(data, read_pcap(data))
    rows, rtcp, _ = told_apart(data, datagrams)
    reports, _ = read_reports(data, datagrams, rtcp)
    (stream,) = find_streams(datagrams, rows).streams
    return reports, stream


def exchange(*, waited_s: float = 0.5, path_ns: int = 80_000_000) -> list[Frame]:
    """A sender report, and the receiver's answer to it that comes back `path_ns` after what it waited."""
    report = sender_report(1)
    block = ReportBlock(SSRC, 64, 5, 1000, 160, (report.ntp >> 16) & 0xFFFFFFFF, round(waited_s * 65536))
    back = udp(
        ReceiverReport(9, (block,)).encode(), source=5005, destination=40001, src="192.0.2.2", dst="192.0.2.1"
    )
    forth = udp(report.encode(), source=40001, destination=5005)
    answered_ns = AT_NS + 10**9 + round(waited_s * 1e9) + path_ns
    return [*voice([20.0 * i for i in range(20)]), (AT_NS + 10**9, forth), (answered_ns, back)]


def test_the_round_trip_is_without_what_the_receiver_waited() -> None:
    facts = rtcp_facts(*seen(exchange()))
    assert facts is not None
    assert facts.round_trip.n == 1
    assert facts.round_trip.p50 == pytest.approx(80, abs=0.02)
    remote = facts.to_json()["remote"]
    assert remote == {"lost": 5, "fraction_lost": 0.25, "jitter_ms": 20.0, "jitter_max_ms": 20.0}


def test_figure_2_of_rfc_3550() -> None:
    """T06, as seen at the sender: A 46864.500, DLSR 5.250, LSR 46853.125 s: 6.125 s."""
    frames = exchange(waited_s=5.25, path_ns=6_125_000_000)
    facts = rtcp_facts(*seen(frames))
    assert facts is not None
    assert facts.round_trip.max == pytest.approx(6125)


def test_the_senders_clock_and_time_are_its_reports() -> None:
    """The time stamp wraps between the two; the rate is against the sender's own NTP clock."""
    frames = voice([20.0 * i for i in range(20)])
    frames += [(AT_NS + i * 10**9, udp(sender_report(i, 8000.8).encode())) for i in (0, 5)]
    reports, stream = seen(frames)
    assert sender_clocks(reports) == {SSRC: pytest.approx(8000.8)}
    facts = rtcp_facts(reports, stream)
    assert facts is not None
    assert facts.sender_time_ms == pytest.approx(1_700_000_005_000)
    assert (facts.sender_reports, facts.receiver_reports) == (2, 0)


def test_reports_of_others_are_not_this_streams() -> None:
    frames = voice([20.0 * i for i in range(20)])
    frames.append((AT_NS, udp(sender_report(0, ssrc=77).encode())))
    frames.append((AT_NS, udp(sender_report(0).encode(), source=9)))
    reports, stream = seen(frames)
    assert len(reports) == 2
    assert rtcp_facts(reports, stream) is None
