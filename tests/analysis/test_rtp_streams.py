"""RTP streams of a capture: what is one, where it begins anew, and by which clock."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest

from probe.analysis.rtp_streams import Found, find_streams
from probe.wire.capture import read_pcap
from probe.wire.datagrams import read_datagrams
from probe.wire.rtp_capture import told_apart
from tests.wire.captures import data_of, pcap, rtp, udp

START = 1_700_000_000_000_000_000
Sent = tuple[float, bytes]
"""Arrival in ms, payload."""


def find(packets: Sequence[Sent], clock: int | None = None, port: int = 5004) -> Found:
    frames = [(START + round(at * 1e6), udp(payload, destination=port)) for at, payload in packets]
    return found_in(pcap(frames), clock)


def found_in(content: bytes, clock: int | None = None, sender: dict[int, float] | None = None) -> Found:
    data = data_of(content)
    datagrams, _ = read_datagrams(data, read_pcap(data))
    rows, _, _ = told_apart(data, datagrams)
    return find_streams(datagrams, rows, clock, sender)


def steady(count: int, first: int = 0, stamp: int = 0, at: float = 0, **header: int) -> list[Sent]:
    """PCMU, 20 ms a packet."""
    return [(at + 20 * i, rtp(first + i, stamp + 160 * i, **header)) for i in range(count)]


def test_streams_are_told_apart_by_flow_and_source() -> None:
    frames = []
    for i in range(10):
        frames += [
            (START + i * 20_000_000 + k, udp(rtp(i, 160 * i, ssrc), destination=port))
            for k, (ssrc, port) in enumerate([(1, 5004), (2, 5004), (1, 5006)])
        ]
    found = found_in(pcap(frames))
    assert [(one.ssrc, one.destination.port, len(one.seq)) for one in found.streams] == [
        (1, 5004, 10),
        (2, 5004, 10),
        (1, 5006, 10),
    ]
    assert (found.alone, found.stray) == (0, 0)


def test_a_wrap_of_numbers_and_stamps_is_counted_on() -> None:
    found = find(steady(10, first=65530, stamp=2**32 - 800))
    (stream,) = found.streams
    assert np.diff(stream.seq).tolist() == [1] * 9
    assert np.diff(stream.stamp).tolist() == [160] * 9


def test_random_datagrams_that_begin_as_rtp_are_no_stream() -> None:
    rng = np.random.default_rng(5)
    packets = [(20.0 * i, bytes([0x80, 8]) + rng.bytes(6) + bytes(4) + rng.bytes(40)) for i in range(200)]
    found = find(packets)
    assert found.streams == []
    assert found.alone == 200


def test_dns_is_no_stream() -> None:
    """Its flags stand where a sequence number would, and never go on."""
    query = struct.pack("!HHHHHH", 0x8001, 0x0100, 1, 0, 0, 1) + b"\x03www\x07example\x00\x00\x01\x00\x01"
    found = find([(20.0 * i, query) for i in range(50)])
    assert (found.streams, found.alone) == ([], 50)


def test_two_packets_are_no_stream_and_three_are() -> None:
    assert find(steady(2)).alone == 2
    assert len(find(steady(3)).streams) == 1


def test_half_of_a_stream_may_be_lost_in_any_way() -> None:
    rng = np.random.default_rng(1)
    packets = [packet for packet, kept in zip(steady(1000), rng.random(1000) > 0.8, strict=True) if kept]
    (stream,) = find(packets).streams
    assert len(stream.seq) == len(packets)


def test_a_sender_that_begins_anew_is_a_part_of_its_own() -> None:
    packets = steady(50) + steady(50, first=30_000, stamp=1_000_000_000, at=1000)
    first, second = find(packets).streams
    assert (first.part, second.part) == (1, 2)
    assert (len(first.seq), len(second.seq)) == (50, 50)
    assert int(first.seq[-1] - first.seq[0]) == 49


def test_numbers_that_jump_back_are_a_new_part_even_if_the_stamps_go_on() -> None:
    packets = steady(50, first=20_000) + steady(50, first=100, stamp=160 * 50, at=1000)
    assert [len(stream.seq) for stream in find(packets).streams] == [50, 50]


def test_silence_and_a_long_outage_are_no_new_beginning() -> None:
    silence = steady(50) + steady(50, first=50, stamp=160 * 50 + 8000 * 60, at=61_000)
    assert len(find(silence).streams) == 1
    outage = steady(50) + steady(50, first=50 + 4500, stamp=160 * (50 + 4500), at=20 * (50 + 4500))
    assert len(find(outage).streams) == 1
    paused = steady(50) + steady(50, first=50, stamp=160 * 50, at=31_000)
    assert len(find(paused).streams) == 1


def test_late_packets_do_not_cut_a_stream() -> None:
    packets = steady(100)
    late = packets.pop(40)
    packets.insert(60, (packets[59][0] + 1, late[1]))
    (stream,) = find(packets).streams
    assert sorted(stream.seq.tolist()) == list(range(100))


def test_a_packet_that_fits_nowhere_is_counted_and_cuts_nothing() -> None:
    packets = [*steady(50), (999.0, rtp(40_000, 3_000_000_000)), *steady(50, 50, 8000, 1000)]
    found = find(packets)
    assert ([len(stream.seq) for stream in found.streams], found.stray) == ([100], 1)


@pytest.mark.parametrize(
    ("header", "rate", "told", "sender", "expected"),
    [
        pytest.param(
            {"payload_type": 9}, 8000, 48000, {}, (8000, "payload_type"), id="a static type is certain"
        ),
        pytest.param(
            {"payload_type": 111}, 48000, 16000, {7: 48000.4}, (16000, "option"), id="then the user"
        ),
        pytest.param({"payload_type": 111}, 48000, None, {7: 48000.4}, (48000, "rtcp"), id="then the sender"),
        pytest.param(
            {"payload_type": 96}, 90000, None, {8: 8000.0}, (90000, "estimated"), id="then the arrivals"
        ),
        pytest.param({"payload_type": 96}, 30000, None, {}, (30000, "estimated"), id="an unusual rate"),
        pytest.param({"payload_type": 96}, 0, None, {}, (8000, "assumed"), id="stamps that stand still"),
    ],
)
def test_the_clock_is_the_surest_known(
    header: dict[str, int], rate: int, told: int | None, sender: dict[int, float], expected: tuple[int, str]
) -> None:
    packets = [(20 * i, rtp(i, rate // 50 * i, 7, **header)) for i in range(100)]
    frames = [(START + at * 1_000_000, udp(payload)) for at, payload in packets]
    (stream,) = found_in(pcap(frames), told, sender).streams
    assert (stream.clock.hz, stream.clock.source) == expected


def test_the_usual_payload_type_comes_first() -> None:
    packets = steady(50)
    packets[10] = (packets[10][0], rtp(10, 1600, payload_type=101))
    (stream,) = find(packets).streams
    assert stream.payload_types == {0: 49, 101: 1}
    assert stream.payload_type == 0
