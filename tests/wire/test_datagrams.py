"""UDP in frames of every link, told by scapy's own dissection of the same bytes."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, fragment
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether, Loopback
from scapy.packet import Packet

from probe.wire.capture import read_pcap
from probe.wire.datagrams import Datagrams, read_datagrams
from tests.wire.captures import data_of, pcap

PAYLOAD = b"payload of 24 bytes here"
V4 = IP(src="192.0.2.1", dst="198.51.100.2") / UDP(sport=1000, dport=2000) / PAYLOAD
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=1000, dport=2000) / PAYLOAD
MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}


def read(frames: list[Packet | bytes], link: int = 1) -> tuple[bytes, Datagrams, dict[str, int]]:
    content = pcap([(10**18 + i, bytes(frame)) for i, frame in enumerate(frames)], link)
    data = data_of(content)
    datagrams, counts = read_datagrams(data, read_pcap(data))
    return content, datagrams, dict(counts)


def payloads(content: bytes, found: Datagrams) -> list[bytes]:
    return [content[at : at + size] for at, size in zip(found.at, found.captured, strict=True)]


@pytest.mark.parametrize(
    ("link", "head"),
    [
        pytest.param(1, Ether(**MACS), id="Ethernet"),
        pytest.param(1, Ether(**MACS) / Dot1Q(vlan=5), id="VLAN"),
        pytest.param(1, Ether(**MACS) / Dot1AD(vlan=7) / Dot1Q(vlan=5), id="VLAN in VLAN"),
        pytest.param(113, CookedLinux(), id="Linux SLL"),
        pytest.param(276, CookedLinuxV2(), id="Linux SLL2"),
        pytest.param(0, Loopback(), id="null"),
        pytest.param(108, Loopback(), id="loopback"),
        pytest.param(101, None, id="raw"),
        pytest.param(12, None, id="raw of BSD"),
    ],
)
@pytest.mark.parametrize(
    ("packet", "source", "destination"),
    [
        pytest.param(V4, "192.0.2.1:1000", "198.51.100.2:2000", id="IPv4"),
        pytest.param(V6, "[2001:db8::1]:1000", "[2001:db8::2]:2000", id="IPv6"),
    ],
)
def test_every_link_of_both_versions(
    link: int, head: Packet | None, packet: Packet, source: str, destination: str
) -> None:
    frame = packet.copy() if head is None else head / packet.copy()
    content, found, counts = read([frame, frame], link)
    assert payloads(content, found) == [PAYLOAD, PAYLOAD]
    assert [str(end) for end in found.ends(1)] == [source, destination]
    assert found.frame.tolist() == [0, 1]
    assert found.time_ns.tolist() == [10**18, 10**18 + 1]
    assert counts == {}


def test_ipv4_options_and_padding_to_the_shortest_ethernet_frame() -> None:
    optional = (
        IP(src="192.0.2.1", dst="192.0.2.2", options=[IPOption_NOP()] * 4) / UDP(sport=1, dport=2) / b"x"
    )
    content, found, _ = read([bytes(Ether(**MACS) / optional) + bytes(30)])
    assert payloads(content, found) == [b"x"]


@pytest.mark.parametrize(
    "extension",
    [
        pytest.param(IPv6ExtHdrHopByHop(), id="hop by hop"),
        pytest.param(IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting() / IPv6ExtHdrDestOpt(), id="three"),
        pytest.param(IPv6ExtHdrFragment(), id="atomic fragment"),
        pytest.param(AH(nh=17, payloadlen=4, icv=bytes(12)), id="authentication"),
    ],
)
def test_ipv6_extension_headers(extension: Packet) -> None:
    packet = IPv6(src="2001:db8::1", dst="2001:db8::2") / extension / UDP(sport=1000, dport=2000) / PAYLOAD
    content, found, counts = read([packet], 101)
    assert payloads(content, found) == [PAYLOAD]
    assert counts == {}


def test_a_datagram_in_fragments_is_one() -> None:
    whole = IP(src="192.0.2.1", dst="192.0.2.2", id=7) / UDP(sport=1, dport=2) / bytes(3000)
    _, found, counts = read([Ether(**MACS) / part for part in fragment(whole, 1400)])
    assert found.size.tolist() == [3000]
    assert found.captured[0] < 1400
    assert counts == {"first_fragment": 1, "later_fragment": 2}


def test_ipv6_fragments_are_counted_too() -> None:
    head = IPv6(src="2001:db8::1", dst="2001:db8::2")
    datagram = bytes(UDP(sport=1, dport=2, len=1008, chksum=1) / bytes(1000))
    first = head / IPv6ExtHdrFragment(nh=17, m=1, offset=0, id=9) / datagram[:504]
    later = head / IPv6ExtHdrFragment(nh=17, m=0, offset=63, id=9) / datagram[504:]
    _, found, counts = read([first, later], 101)
    assert found.size.tolist() == [1000]
    assert counts == {"first_fragment": 1, "later_fragment": 1}


def test_what_is_no_datagram_is_counted_by_what_it_is() -> None:
    ether = Ether(**MACS)
    frames = [ether / ARP(), ether / IP() / TCP(), ether / IP() / ICMP(), bytes(ether / V4)[:30], ether / V4]
    _, found, counts = read(frames)
    assert found.frame.tolist() == [4]
    assert counts == {"not_ip": 1, "not_udp": 2, "cut": 1}


def test_a_link_that_is_not_known_is_named() -> None:
    _, found, counts = read([bytes(60), bytes(60)], 127)
    assert len(found) == 0
    assert counts == {"link 127": 2}


def test_a_short_snapshot_keeps_the_size_on_the_wire() -> None:
    frame = bytes(Ether(**MACS) / V4)
    content = bytearray(pcap([(10**18, frame[:50])]))
    content[24 + 12 : 24 + 16] = struct.pack("<I", len(frame))
    data = data_of(bytes(content))
    found, _ = read_datagrams(data, read_pcap(data))
    assert (found.size.tolist(), found.captured.tolist()) == ([24], [8])


@settings(max_examples=150)
@given(st.lists(st.binary(max_size=90), max_size=6), st.sampled_from([0, 1, 101, 113, 276]))
def test_any_bytes_stay_within_their_frame(frames: list[bytes], link: int) -> None:
    content = pcap(list(enumerate(frames)), link)
    data = data_of(content)
    whole = read_pcap(data)
    found, counts = read_datagrams(data, whole)
    ends = (whole.at + whole.captured)[found.frame]
    assert (found.at + found.captured <= ends).all()
    assert (found.captured >= 0).all()
    assert (found.captured <= found.size).all()
    elsewhere = sum(number for name, number in counts.items() if name != "first_fragment")
    assert len(found) + elsewhere == len(frames)
    assert np.array_equal(found.frame, np.sort(found.frame))
