"""Wireshark's dissectors read our RTP and RTCP, on one port, and find nothing wrong."""

import os
import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from probe.wire import media, red, rtcp, rtp
from probe.wire.rtcp import App, Bye, GenericNack, ReceiverReport, ReportBlock, SenderReport

pytestmark = pytest.mark.foreign

PORT = 40_000
FOUND_WRONG = ("_ws.malformed", "_ws.expert.message", "_ws.short")
LINKTYPE_IPV4 = 228
BLOCK = ReportBlock(0xBC5E9A40, 64, 8191, 3 << 16 | 0x46E1, 273, 0x09F36432, 150137)


def _pcap(datagrams: Iterable[bytes]) -> bytes:
    """A capture file: UDP from port 50000 to `PORT` in IPv4, a packet each 20 ms."""
    file = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_IPV4)]
    for number, payload in enumerate(datagrams):
        udp = struct.pack("!HHHH", 50_000, PORT, 8 + len(payload), 0) + payload
        ip = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\2"
        )
        file.append(struct.pack("<IIII", 0, 20_000 * number, len(ip + udp), len(ip + udp)) + ip + udp)
    return b"".join(file)


def _run(
    folder: Path, datagrams: Iterable[bytes], *fields: str, preference: str = "rtp.show_setup_info:TRUE"
) -> list[list[str]]:
    """The named fields of every datagram; several values of a field are joined with commas."""
    tshark = shutil.which("tshark")
    if tshark is None:
        assert os.environ.get("CI") != "true", "tshark is missing"
        pytest.skip("tshark is not installed")
    capture = folder / "capture.pcap"
    capture.write_bytes(_pcap(datagrams))
    command = [
        tshark,
        "-n",
        "-r",
        str(capture),
        "-d",
        f"udp.port=={PORT},rtp",
        "-o",
        preference,
        "-T",
        "fields",
    ]
    for field in fields:
        command += ["-e", field]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return [line.split("\t") for line in output.splitlines()]


def _dissect(folder: Path, datagrams: Iterable[bytes], *fields: str) -> list[list[str]]:
    rows = _run(folder, datagrams, *FOUND_WRONG, *fields)
    assert all(row[: len(FOUND_WRONG)] == [""] * len(FOUND_WRONG) for row in rows)
    return [row[len(FOUND_WRONG) :] for row in rows]


def test_rtp_headers(tmp_path: Path) -> None:
    sequence = np.array([65534, 65535, 0, 3])
    data = np.zeros((4, media.MIN_PACKET_BYTES), np.uint8)
    rtp.write_headers(
        data,
        payload_type=media.PT_AUDIO,
        marker=sequence == 65534,
        sequence=sequence,
        timestamp=960 * np.arange(4),
        ssrc=0xBC5E9A40,
    )
    fields = ("rtp.version", "rtp.p_type", "rtp.marker", "rtp.seq", "rtp.timestamp", "rtp.ssrc", "udp.length")
    assert _dissect(tmp_path, map(bytes, data), *fields) == [
        ["2", "111", str(int(number == 65534)), str(number), str(960 * index), "0xbc5e9a40", "80"]
        for index, number in enumerate(sequence)
    ]


def test_a_batch_of_generic_nacks(tmp_path: Path) -> None:
    data, size = rtcp.encode_nacks(
        np.array([1, 2], np.uint32),
        np.array([0xBC5E9A40, 4], np.uint32),
        np.array([0, 0, 0, 0, 1]),
        np.array([65535, 0, 15, 16, 7], np.uint16),
    )
    datagrams = [row[:used].tobytes() for row, used in zip(data, size, strict=True)]
    fields = ("rtcp.pt", "rtcp.rtpfb.fmt", "rtcp.senderssrc", "rtcp.mediassrc", "rtcp.rtpfb.nack_blp")
    first, second = _dissect(tmp_path, datagrams, *fields, "rtcp.rtpfb.nack_pid")
    assert first[:-1] == ["205", "1", "0x00000001", "0xbc5e9a40", "0x8001,0x0000"]
    assert second == ["205", "1", "0x00000002", "0x00000004", "0x0000", "7"]
    # Wireshark lists the packets of the bitmask as PIDs too, and does not wrap them.
    assert [int(number) % 65536 for number in first[-1].split(",")] == [65535, 0, 15, 16]


def test_wireshark_would_tell(tmp_path: Path) -> None:
    for wrong in (GenericNack(1, 2, (7,)).encode()[:-2], ReceiverReport(1, (BLOCK,)).encode()[:-8]):
        assert _run(tmp_path, [wrong], *FOUND_WRONG) != [[""] * len(FOUND_WRONG)]


def test_a_compound_of_report_application_packet_and_bye(tmp_path: Path) -> None:
    report = SenderReport(0x902F9E2E, 0xDA8BD1FCDDDDA05A, 0xAAF4EDD5, 100, 16_000, (BLOCK,))
    compound = (
        report.encode()
        + App(5, 0x902F9E2E, b"prob", b"\1\2\3\4").encode()
        + Bye((0x902F9E2E,), "done").encode()
    )
    fields = {
        "rtcp.pt": "200,204,203",
        "rtcp.length_check": "1",
        "rtcp.senderssrc": "0x902f9e2e",
        "rtcp.timestamp.ntp.msw": str(0xDA8BD1FC),
        "rtcp.timestamp.ntp.lsw": str(0xDDDDA05A),
        "rtcp.timestamp.rtp": str(0xAAF4EDD5),
        "rtcp.sender.packetcount": "100",
        "rtcp.sender.octetcount": "16000",
        "rtcp.ssrc.fraction": "64",
        "rtcp.ssrc.cum_nr": "8191",
        "rtcp.app.subtype": "5",
        "rtcp.app.name": "prob",
        "rtcp.app.data": "01020304",
        "rtcp.ssrc.identifier": "0xbc5e9a40,0x902f9e2e,0x902f9e2e",
    }
    assert _dissect(tmp_path, [compound], *fields) == [list(fields.values())]


def test_receiver_reports(tmp_path: Path) -> None:
    fields = {
        "rtcp.pt": "201",
        "rtcp.rc": "1",
        "rtcp.senderssrc": "0x00000001",
        "rtcp.ssrc.identifier": "0xbc5e9a40",
        "rtcp.ssrc.high_cycles": "3",
        "rtcp.ssrc.high_seq": str(0x46E1),
        "rtcp.ssrc.jitter": "273",
        "rtcp.ssrc.lsr": str(0x09F36432),
        "rtcp.ssrc.dlsr": "150137",
    }
    assert _dissect(tmp_path, [ReceiverReport(1, (BLOCK,)).encode()], *fields) == [list(fields.values())]


def test_redundant_audio(tmp_path: Path) -> None:
    data = np.zeros((1, 24), np.uint8)
    rtp.write_headers(
        data, payload_type=media.PT_AUDIO, marker=False, sequence=9, timestamp=9600, ssrc=0xBC5E9A40
    )
    payload = np.full((1, 8), 7, np.uint8)
    levels = [
        red.Level(payload, np.array([5]), np.array([1920])),
        red.Level(payload, np.array([8]), np.array([960])),
    ]
    out, size = red.encode(data, np.array([24]), levels, media.PT_RED, media.PT_AUDIO)
    found = _run(
        tmp_path,
        [out[0, : size[0]].tobytes()],
        *FOUND_WRONG,
        *("rtp.p_type", "rtp.follow", "rtp.timestamp-offset", "rtp.block-length"),
        preference=f"rtp.rfc2198_payload_type:{media.PT_RED}",
    )
    assert found == [["", "", "", f"{media.PT_RED},111,111,111", "1,1,0", "1920,960", "5,8"]]
