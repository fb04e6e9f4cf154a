"""What begins as RTP does, and what shares its port (RFC 7983, RFC 9443, RFC 5761)."""

from __future__ import annotations

import struct

import pytest
from scapy.layers.rtp import RTP, RTPExtension

from probe.wire.capture import read_pcap
from probe.wire.datagrams import read_datagrams
from probe.wire.rtcp import ReceiverReport
from probe.wire.rtcp_capture import read_reports
from probe.wire.rtp_capture import RtpRows, told_apart
from probe.wire.stun import binding_request
from tests.wire.captures import data_of, pcap, rtp, udp


def read(payloads: list[bytes]) -> tuple[RtpRows, list[int], dict[str, int]]:
    data = data_of(pcap([(i, udp(payload)) for i, payload in enumerate(payloads)]))
    datagrams, _ = read_datagrams(data, read_pcap(data))
    rows, rtcp, counts = told_apart(data, datagrams)
    return rows, rtcp.tolist(), dict(counts)


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        *((first, "stun") for first in (0, 3)),
        *((first, "other") for first in (4, 15)),
        *((first, "zrtp") for first in (16, 19)),
        *((first, "dtls") for first in (20, 22, 63)),
        *((first, "turn_or_quic") for first in (64, 79)),
        *((first, "quic") for first in (80, 127, 192, 255)),
    ],
)
def test_the_first_byte_tells_what_is_not_rtp(first: int, kind: str) -> None:
    rows, rtcp, counts = read([bytes([first]) + bytes(30)])
    assert (len(rows.row), rtcp, counts) == (0, [], {kind: 1})


def test_stun_as_we_send_it_is_stun() -> None:
    assert read([binding_request(bytes(12))])[2] == {"stun": 1}


@pytest.mark.parametrize("second", [192, 200, 201, 207, 223])
def test_the_second_byte_tells_rtcp_from_rtp(second: int) -> None:
    rows, rtcp, counts = read([bytes([0x80, second, 0, 1]) + bytes(20)])
    assert (len(rows.row), rtcp, counts) == (0, [0], {"rtcp": 1})


def test_headers_are_scapys() -> None:
    packets = [
        RTP(payload_type=111, marker=1, sequence=65535, timestamp=2**32 - 1, sourcesync=2**32 - 1) / b"opus",
        RTP(payload_type=96, sequence=7, timestamp=90, sourcesync=5, sync=[1, 2, 3], numsync=3) / bytes(9),
        RTP(extension=1) / RTPExtension(header_id=0xBEDE, header=[1, 2]) / bytes(20),
    ]
    rows, _, counts = read([bytes(packet) for packet in packets])
    assert counts == {"rtp": 3}
    assert rows.payload_type.tolist() == [111, 96, 0]
    assert rows.marker.tolist() == [True, False, False]
    assert rows.sequence.tolist() == [65535, 7, 0]
    assert rows.timestamp.tolist()[:2] == [2**32 - 1, 90]
    assert rows.ssrc.tolist()[:2] == [2**32 - 1, 5]
    assert rows.payload_bytes.tolist() == [4, 9, 20]


def test_padding_is_no_payload() -> None:
    padded = struct.pack("!BBHII", 0xA0, 0, 1, 1, 1) + b"data" + bytes(3) + b"\x04"
    assert read([padded])[0].payload_bytes.tolist() == [4]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(rtp(1, 1)[:11], id="shorter than a header"),
        pytest.param(struct.pack("!BBHII", 0x8F, 0, 1, 1, 1) + bytes(59), id="sources beyond the end"),
        pytest.param(
            struct.pack("!BBHIIHH", 0x90, 0, 1, 1, 1, 0, 9) + bytes(8), id="extension beyond the end"
        ),
        pytest.param(struct.pack("!BBHII", 0xA0, 0, 1, 1, 1) + b"\x09", id="padding beyond the end"),
        pytest.param(struct.pack("!BBHII", 0xA0, 0, 1, 1, 1) + b"\x00", id="no padding"),
    ],
)
def test_a_header_that_does_not_fit_is_no_rtp(payload: bytes) -> None:
    assert read([payload])[2] == {"other": 1}


def test_reports_are_read_and_nonsense_is_counted() -> None:
    report = ReceiverReport(7)
    data = data_of(pcap([(5, udp(report.encode())), (6, udp(b"\x81\xc9\xff\xff" + bytes(8)))]))
    datagrams, _ = read_datagrams(data, read_pcap(data))
    _, rows, _ = told_apart(data, datagrams)
    found, malformed = read_reports(data, datagrams, rows)
    assert malformed == 1
    (seen,) = found
    assert (seen.time_ns, str(seen.source), str(seen.destination), seen.report) == (
        5,
        "192.0.2.1:40000",
        "192.0.2.2:5004",
        report,
    )
