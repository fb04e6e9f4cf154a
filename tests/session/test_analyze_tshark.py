"""The same captures through `tshark -z rtp,streams`: equal where its definitions are ours (docs/metrics.md).

Captures that we wrote, of every link and byte order; and RTP of ffmpeg and sipp through our lossy relay.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1Q, Ether
from scapy.packet import Packet

from probe.impairment.profile import Impairment, Loss
from probe.report.capture_out import write_capture
from probe.session.analyze import AnalysedStream, analyse
from probe.session.analyze_options import Wanted
from probe.wire.rtcp import ReceiverReport, ReportBlock, SenderReport
from tests.foreign_rtp import record
from tests.wire.captures import Frame, enhanced, interface, pcap, rtp, section, udp, voice, write

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed"),
]

MS = 1_000_000
START = 1_700_000_000_000_000_000
DELAYS = (68, 68, 68, None, 68, 78, 68, 98, 68, 68, 75, 69, None, None, 80, 68)
"""quality.md T02, and a little more; one packet overtakes another."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """A line of tshark's table; times in ms."""

    ssrc: int
    packets: int
    lost: int
    share: float
    delta_mean: float
    delta_max: float
    jitter_min: float
    jitter_mean: float
    jitter_max: float


def tshark(path: Path, *options: str) -> str:
    command = ["tshark", "-r", str(path), "--enable-heuristic", "rtp_udp", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def tsharks(path: Path) -> list[Theirs]:
    found = []
    for line in tshark(path, "-q", "-z", "rtp,streams").splitlines():
        match = re.search(r"0x([0-9A-F]{8})\s+\S+\s+(\d+)\s+(-?\d+) \((-?[\d.]+)%\)\s+(.*)", line)
        if match:
            numbers = [float(text) for text in match[5].split()[:6]]
            _, mean, largest, *jitter = numbers
            found.append(
                Theirs(
                    int(match[1], 16), int(match[2]), int(match[3]), float(match[4]), mean, largest, *jitter
                )
            )
    return found


def ours(path: Path, wanted: Wanted | None = None) -> list[AnalysedStream]:
    return analyse(str(path), path.parent, wanted or Wanted()).streams


def agree(path: Path) -> list[AnalysedStream]:
    """Loss, jitter and the time between arrivals of every stream, to tshark's last digit."""
    found = sorted(ours(path), key=lambda stream: str(stream.what["ssrc"]))
    theirs = sorted(tsharks(path), key=lambda judge: judge.ssrc)
    assert len(theirs) == len(found) > 0
    for stream, judge in zip(found, theirs, strict=True):
        metrics, series = stream.metrics, stream.series
        assert int(stream.what["ssrc"], 16) == judge.ssrc
        assert (metrics.received, metrics.lost) == (judge.packets, judge.lost)
        assert 100 * metrics.lost / metrics.sent == pytest.approx(judge.share, abs=0.051)
        arrived = series.received_ns[series.order]
        arrived = (arrived - arrived[0]) / MS  # a date in ms is not exact as a float
        assert judge.delta_mean == pytest.approx((arrived[-1] - arrived[0]) / (len(arrived) - 1), abs=6e-4)
        assert judge.delta_max == pytest.approx(max(b - a for a, b in pairwise(arrived)), abs=6e-4)
        assert judge.jitter_max == pytest.approx(metrics.jitter.maximum, abs=6e-4)
        assert judge.jitter_mean == pytest.approx(metrics.jitter.value("mean"), abs=6e-4)
    return found


def frames(head: Packet | None, ip: Packet) -> list[Frame]:
    """A PCMU stream of `DELAYS` below these headers."""
    found = []
    for number, delay in enumerate(DELAYS):
        if delay is not None:
            packet = ip.copy() / UDP(sport=40000, dport=5004) / rtp(65530 + number, 160 * number)
            whole = bytes(packet if head is None else head.copy() / packet)
            found.append((START + (20 * number + delay) * MS, whole))
    return sorted(found)


V4, V6 = IP(src="192.0.2.1", dst="192.0.2.2"), IPv6(src="2001:db8::1", dst="2001:db8::2")
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


@pytest.mark.parametrize(
    ("link", "head", "ip", "order", "nano"),
    [
        pytest.param(1, ETHER, V4, "<", True, id="Ethernet"),
        pytest.param(1, ETHER / Dot1Q(vlan=5), V6, ">", False, id="VLAN, IPv6, big-endian us"),
        pytest.param(113, CookedLinux(), V4, ">", True, id="SLL, big-endian ns"),
        pytest.param(276, CookedLinuxV2(), V6, "<", False, id="SLL2, IPv6, us"),
        pytest.param(101, None, V4, "<", True, id="raw"),
    ],
)
def test_captures_of_every_kind_are_tsharks(
    link: int, head: Packet | None, ip: Packet, order: str, nano: bool, tmp_path: Path
) -> None:
    agree(write(tmp_path / "rtp.pcap", pcap(frames(head, ip), link, order=order, nano=nano)))


def test_pcapng_with_two_streams_is_tsharks(tmp_path: Path) -> None:
    both = sorted(
        voice([20.0 * i + (i * i) % 7 for i in range(40)]) + voice([20.0 * i + 3 for i in range(30)], ssrc=7)
    )
    content = section(">") + interface(1, ">", [(9, b"\x09")])
    content += b"".join(enhanced(frame, at, ">") for at, frame in both)
    assert len(agree(write(tmp_path / "two.pcapng", content))) == 2


def test_a_capture_that_we_write_of_a_table_is_tsharks(tmp_path: Path) -> None:
    """Time stamps are in eighths of a millisecond, the times sent of this table too."""
    rows = [f"{i},{20 * MS * i},{'' if d is None else 20 * MS * i + d * MS}" for i, d in enumerate(DELAYS)]
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(["seq,sent_ns,received_ns", *rows, ""]))
    (stream,) = ours(path)
    write_capture(tmp_path / "trace.pcap", [stream])
    (again,) = agree(tmp_path / "trace.pcap")
    assert again.metrics.pdv == stream.metrics.pdv


def test_a_duplicate_is_a_packet_to_tshark_and_hides_a_loss(tmp_path: Path) -> None:
    """By RFC 3550 A.3; ours are counted beside (quality.md trap 5)."""
    stream = voice([0, 20, None, 60, 80])
    path = write(tmp_path / "rtp.pcap", pcap(sorted([*stream, (stream[1][0] + MS, stream[1][1])])))
    (judge,), (found,) = tsharks(path), ours(path)
    assert (judge.packets, judge.lost) == (5, 0)
    assert (found.metrics.received, found.metrics.lost, found.metrics.duplicates) == (4, 1, 1)


def test_the_round_trip_by_rtcp_is_tsharks(tmp_path: Path) -> None:
    ntp = (1_700_000_000 + 2_208_988_800) << 32
    stream = voice([20.0 * i for i in range(50)])
    report = SenderReport(0x1234, ntp, 0, 1, 160)
    block = ReportBlock(0x1234, 0, 0, 100, 7, (ntp >> 16) & 0xFFFFFFFF, 32768)
    forth = udp(report.encode(), 40001, 5005)
    back = udp(ReceiverReport(9, (block,)).encode(), 5005, 40001, src="192.0.2.2", dst="192.0.2.1")
    content = pcap(sorted([*stream, (START + 5 * MS, forth), (START + 585 * MS, back)]))
    path = write(tmp_path / "rtcp.pcap", content)
    (found,) = ours(path)
    assert found.rtcp is not None
    shown = ("-o", "rtcp.show_roundtrip_calculation:TRUE", "-d", "udp.port==5005,rtcp")
    told = tshark(path, *shown, "-T", "fields", "-e", "rtcp.roundtrip-delay")
    assert found.rtcp.round_trip.p50 == pytest.approx(float(told.split()[-1]), abs=1)
    assert found.rtcp.round_trip.p50 == pytest.approx(80, abs=0.02)


LOSSY = Impairment(delay_ns=30 * MS, jitter_ns=8 * MS, loss=Loss(0.1, 2))
PROGRAMS = {"ffmpeg-pcmu": "ffmpeg", "ffmpeg-opus": "ffmpeg", "sipp": "sipp"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All programs that are installed, side by side."""
    here = [name for name, program in PROGRAMS.items() if shutil.which(program)]

    async def all_of_them() -> list[Path]:
        folders = [tmp_path_factory.mktemp(name) for name in here]
        return await asyncio.gather(
            *(record(name, LOSSY, folder, 5) for name, folder in zip(here, folders, strict=True))
        )

    return dict(zip(here, asyncio.run(all_of_them()), strict=True))


def capture_of(recorded: dict[str, Path], name: str) -> Path:
    if name not in recorded:
        assert os.environ.get("CI") != "true", f"{PROGRAMS[name]} is missing"
        pytest.skip(f"{PROGRAMS[name]} is not installed")
    return recorded[name]


@pytest.mark.net
@pytest.mark.parametrize("name", ["ffmpeg-pcmu", "sipp"])
def test_foreign_streams_through_a_lossy_relay_are_tsharks(recorded: dict[str, Path], name: str) -> None:
    (stream,) = agree(capture_of(recorded, name))
    assert stream.what["encoding"] == "PCMU"
    assert stream.metrics.lost > 0
    assert stream.metrics.jitter.maximum > 1
    assert stream.refused is None


@pytest.mark.net
def test_a_dynamic_payload_types_clock_is_estimated(recorded: dict[str, Path]) -> None:
    """tshark has no jitter of such a stream; its losses are ours."""
    path = capture_of(recorded, "ffmpeg-opus")
    (judge,), (stream,) = tsharks(path), ours(path)
    assert (stream.metrics.received, stream.metrics.lost) == (judge.packets, judge.lost)
    assert stream.what["clock"] == {"hz": 48000, "source": "estimated"}
    assert stream.metrics.interval_ns == 20 * MS
    assert stream.refused == "no_published_factors"
