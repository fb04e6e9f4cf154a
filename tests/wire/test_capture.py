"""pcap and pcapng: every byte order and resolution, files that end early, and bytes that are nothing."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgWriter, RawPcapReader

from probe.errors import ProtocolError
from probe.metrics import NEVER
from probe.wire.capture import Frames, is_capture, read_pcap
from probe.wire.pcapng import read_pcapng
from tests.wire.captures import block, data_of, enhanced, interface, pcap, section, udp

FRAMES = [(1_700_000_000_123_456_789 + 20_000_000 * i, udp(bytes([i]) * (10 + i))) for i in range(5)]


def contents(content: bytes, frames: Frames) -> list[bytes]:
    return [content[at : at + size] for at, size in zip(frames.at, frames.captured, strict=True)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [True, False])
def test_pcap_of_either_order_and_resolution(order: str, nano: bool) -> None:
    content = pcap(FRAMES, order=order, nano=nano)
    found = read_pcap(data_of(content))
    unit = 1 if nano else 1000
    assert found.time_ns.tolist() == [time // unit * unit for time, _ in FRAMES]
    assert contents(content, found) == [frame for _, frame in FRAMES]
    assert set(found.link.tolist()) == {1}
    assert (found.cut_bytes, found.damage, found.unreadable) == (0, None, 0)
    with RawPcapReader(BytesIO(content)) as reader:
        assert [frame for frame, _ in reader] == contents(content, found)


def test_pcapng_as_scapy_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "scapy.pcapng"
    with PcapNgWriter(str(path)) as writer:
        for time_ns, frame in FRAMES:
            packet = Ether(frame)
            packet.time = time_ns / 1e9
            writer.write(packet)
    content = path.read_bytes()
    found = read_pcapng(data_of(content))
    assert contents(content, found) == [frame for _, frame in FRAMES]
    assert np.abs(found.time_ns - [time for time, _ in FRAMES]).max() < 2000  # scapy's times are floats


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("resolution", "units"),
    [(None, 10**6), (6, 10**6), (9, 10**9), (3, 10**3), (0x80 | 20, 2**20), (12, 10**12)],
)
def test_pcapng_of_any_clock(order: str, resolution: int | None, units: int) -> None:
    options = [] if resolution is None else [(9, bytes([resolution]))]
    stamp = 1_000_000 * units + units // 4
    content = section(order) + interface(1, order, options) + enhanced(b"frame", stamp, order)
    found = read_pcapng(data_of(content))
    assert found.time_ns.tolist() == [1_000_000_250_000_000]
    assert contents(content, found) == [b"frame"]


def test_an_offset_in_seconds_is_added() -> None:
    content = section() + interface(options=[(14, struct.pack("<q", 1_700_000_000))]) + enhanced(b"", 500_000)
    assert read_pcapng(data_of(content)).time_ns.tolist() == [1_700_000_000_500_000_000]


def test_pcapng_blocks_of_all_kinds_sections_and_interfaces() -> None:
    """Interfaces are numbered anew in each section; blocks that hold no packet are passed over."""
    old = block(2, struct.pack("<HHIIII", 1, 0, 0, 7_000_000, 3, 3) + b"old")
    simple = block(3, struct.pack("<I", 6) + b"simple")
    content = (
        section()
        + interface(101)
        + interface(1)
        + block(4, bytes(8))
        + enhanced(b"first", 5_000_000, number=1)
        + old
        + block(0x0BAD, b"private")
        + section(">")
        + interface(113, ">")
        + enhanced(b"big", 9_000_000, ">")
        + section()
        + interface(228)
        + simple
    )
    found = read_pcapng(data_of(content))
    assert contents(content, found) == [b"first", b"old", b"big", b"simple"]
    assert found.link.tolist() == [1, 1, 113, 228]
    assert found.time_ns.tolist() == [5 * 10**9, 7 * 10**9, 9 * 10**9, NEVER]
    assert found.without_time == 1


def test_a_simple_packet_is_cut_by_its_interfaces_snapshot() -> None:
    content = section() + interface(snap=4) + block(3, struct.pack("<I", 9) + b"abcd")
    found = read_pcapng(data_of(content))
    assert contents(content, found) == [b"abcd"]
    assert found.size.tolist() == [9]


def test_packets_that_contradict_their_block_are_counted() -> None:
    lies = block(6, struct.pack("<IIIII", 0, 0, 0, 1000, 1000) + b"short")
    nowhere = enhanced(b"x", 0, number=7)
    found = read_pcapng(data_of(section() + interface() + lies + nowhere + enhanced(b"good", 0)))
    assert (len(found), found.unreadable) == (1, 2)


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_a_file_cut_anywhere_keeps_its_whole_frames(kind: str) -> None:
    if kind == "pcap":
        parts, read = [pcap([]), *(pcap([frame])[24:] for frame in FRAMES)], read_pcap
    else:
        parts = [section() + interface(), *(enhanced(frame, 1) for _, frame in FRAMES)]
        read = read_pcapng
    content = b"".join(parts)
    ends = np.cumsum([len(part) for part in parts])
    for cut in range(int(ends[0]), len(content) + 1):
        found = read(data_of(content[:cut]))
        whole = int(np.searchsorted(ends, cut, "right")) - 1
        assert len(found) == whole
        assert found.cut_bytes == cut - ends[whole]
        assert found.damage is None


def test_a_file_that_ends_in_its_header_is_refused() -> None:
    with pytest.raises(ProtocolError, match="after 10 of 24 bytes"):
        read_pcap(data_of(pcap([])[:10]))
    with pytest.raises(ProtocolError, match="first block"):
        read_pcapng(data_of(section()[:10]))


def test_a_record_of_an_impossible_length_is_damage_and_ends_there() -> None:
    content = bytearray(pcap(FRAMES))
    second = 24 + 16 + len(FRAMES[0][1])
    content[second + 8 : second + 12] = b"\xff\xff\xff\x7f"
    found = read_pcap(data_of(bytes(content)))
    assert len(found) == 1
    assert found.cut_bytes == len(content) - second
    assert found.damage == f"the record at byte {second} claims 2147483647 bytes"


def test_a_capture_is_known_by_its_first_bytes() -> None:
    assert is_capture(pcap([], order=">", nano=False))
    assert is_capture(section(">"))
    assert not is_capture(b"seq,sent_ns,received_ns\n")


@settings(max_examples=150)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_frames_or_are_refused(tail: bytes, ng: bool) -> None:
    head = section() + interface() if ng else pcap([])
    read = read_pcapng if ng else read_pcap
    data = data_of(head + tail)
    try:
        found = read(data)
    except ProtocolError:
        return
    assert (found.at + found.captured <= len(data)).all()
    assert (found.captured >= 0).all()
