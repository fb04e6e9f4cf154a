"""The same packets through `tshark -z rtp,streams`: equal where its definitions are ours.

It counts duplicates as received packets, so that one hides a loss (quality.md trap 5).
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from probe.analysis.receiver_report import expected_and_received
from probe.analysis.rtp_jitter import jitter_levels
from probe.analysis.series_source import from_arrivals, unwrap_sequence
from tests.analysis.made import MS

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed"),
]

Packet = tuple[int, int, float]
"""Sequence number, 8 kHz time stamp, arrival in ms."""


def capture(path: Path, packets: Sequence[Packet]) -> None:
    """A pcap of raw IPv4 (link type 101) with nanosecond time stamps."""
    frames = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)]
    for seq, stamp, at_ms in packets:
        rtp = struct.pack("!BBHII", 0x80, 0, seq, stamp, 0x1234) + bytes(160)
        udp = struct.pack("!HHHH", 40000, 5004, 8 + len(rtp), 0) + rtp
        addresses = bytes((127, 0, 0, 1, 127, 0, 0, 1))
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), seq, 0, 64, 17, 0) + addresses + udp
        at_ns = round(at_ms * MS)
        frames.append(struct.pack("<IIII", at_ns // 10**9, at_ns % 10**9, len(ip), len(ip)) + ip)
    path.write_bytes(b"".join(frames))


def streams(path: Path) -> dict[str, float]:
    command = ["tshark", "-r", str(path), "-d", "udp.port==5004,rtp", "-q", "-z", "rtp,streams"]
    lines = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60
    ).stdout.splitlines()
    (line,) = [line for line in lines if "0x00001234" in line]
    tail = line.split("PCMU" if "PCMU" in line else "g711U")[1].split()
    names = (
        "packets",
        "lost",
        "share",
        "delta_min",
        "delta_mean",
        "delta_max",
        "jitter_min",
        "jitter_mean",
        "jitter_max",
    )
    return dict(zip(names, (float(value.strip("()%")) for value in tail[:9]), strict=True))


T01 = [(1, 1240, 348.411), (2, 1400, 418.358), (3, 1560, 421.891)]
T02 = [
    (100 + i, 160 * i, 1000 + 20.0 * i + delay)
    for i, delay in enumerate((68, 68, 68, None, 68, 78, 68, 98, 68, 68))
    if delay is not None
]
WRAPPED = [((65534 + i) % 65536, 160 * i, 1000 + 20.0 * i) for i in (0, 1, 2, 3, 5)]
DOUBLED = [(seq, 160 * seq, 1000 + 20.0 * i) for i, seq in enumerate((1, 2, 2, 3, 5))]


@pytest.mark.parametrize(
    "packets",
    [pytest.param(T01, id="T01"), pytest.param(T02, id="T02"), pytest.param(WRAPPED, id="T07 wrap")],
)
def test_loss_and_jitter_are_tsharks(tmp_path: Path, packets: list[Packet]) -> None:
    arrived = sorted(packets, key=lambda packet: packet[2])
    path = tmp_path / "rtp.pcap"
    capture(path, arrived)
    theirs = streams(path)
    numbers, stamps, times = (np.array(column) for column in zip(*arrived, strict=True))
    seq = unwrap_sequence(numbers.astype(np.uint16))
    series = from_arrivals(seq, stamps * 125_000, np.round(times * MS).astype(np.int64))
    levels = jitter_levels(series) / MS
    assert theirs["packets"] == len(series.order)
    assert theirs["lost"] == np.count_nonzero(series.lost)
    assert theirs["share"] == pytest.approx(100 * series.lost.mean(), abs=0.06)
    assert theirs["jitter_max"] == pytest.approx(levels.max(), abs=6e-4)
    assert theirs["jitter_min"] == pytest.approx(levels.min(), abs=6e-4)
    assert theirs["jitter_mean"] == pytest.approx(levels.mean(), abs=6e-4)
    deltas = np.diff(series.received_ns[series.order]) / MS
    assert theirs["delta_mean"] == pytest.approx(deltas.mean(), abs=6e-4)


def test_a_duplicate_hides_a_loss_from_tshark(tmp_path: Path) -> None:
    path = tmp_path / "rtp.pcap"
    capture(path, DOUBLED)
    numbers, stamps, times = (np.array(column) for column in zip(*DOUBLED, strict=True))
    series = from_arrivals(numbers, stamps * 125_000, np.round(times * MS).astype(np.int64))
    expected, received = expected_and_received(series)
    assert streams(path)["lost"] == expected - received == 0
    assert (int(series.lost.sum()), series.duplicates) == (1, 1)
