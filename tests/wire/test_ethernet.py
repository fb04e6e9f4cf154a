"""Frames as scapy makes them, looked at by us."""

from __future__ import annotations

import ipaddress
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Ether

from probe.wire.ethernet import Flow, Seen, flow_of, look, to_many

ONE, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"


def frames(*packets: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    raw = [bytes(Ether(src=ONE, dst=OTHER) / packet) for packet in packets]
    data = np.zeros((len(raw), max(map(len, raw))), np.uint8)
    for row, content in enumerate(raw):
        data[row, : len(content)] = np.frombuffer(content, np.uint8)
    return data, np.array([len(content) for content in raw], np.int64)


def seen(*packets: Any) -> Seen:
    return look(*frames(*packets))


ports = st.integers(0, 65535)
addresses = st.ip_addresses()


@settings(deadline=None, max_examples=60)
@given(addresses, ports, ports, st.sampled_from([TCP, UDP]), st.integers(0, 90))
def test_a_flow_is_what_was_put_into_the_frame(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, peer_port: int, kind: Any, length: int
) -> None:
    head = IPv6(src="2001:2::2") if address.version == 6 else IP(src="198.18.0.2")
    head.dst = str(address)
    transport = kind(sport=port, dport=peer_port)
    found = seen(head / transport / bytes(length))
    assert found.opens.tolist() == [True]
    protocol = 6 if kind is TCP else 17
    assert flow_of(found.key[0].tobytes()) == Flow(protocol, port, address.packed, peer_port)
    assert flow_of(found.key[0].tobytes()).six == (address.version == 6)


def test_of_a_connection_only_the_first_packet_opens_it() -> None:
    flags = ["S", "SA", "A", "PA", "FA", "R", "SEC"]
    for head in (IP(dst="192.0.2.1"), IPv6(dst="2001:db8::1")):
        found = seen(*(head / TCP(flags=each) for each in flags))
        assert found.opens.tolist() == [each in ("S", "SEC") for each in flags]


def test_of_a_fragmented_datagram_the_first_part_opens_the_flow() -> None:
    parts = [IP(dst="192.0.2.1", proto=17, flags=1, frag=at) / bytes(64) for at in (0, 8, 185, 4096)]
    assert seen(*parts).opens.tolist() == [True, False, False, False]


def test_other_things_open_nothing() -> None:
    others = [IP() / ICMP(), IPv6(dst="2001:db8::1") / ICMPv6EchoRequest(), ARP(), IP(proto=47) / bytes(40)]
    found = seen(*others)
    assert not found.opens.any()
    assert found.ping.tolist() == [True, True, False, False]
    assert not look(np.zeros((1, 8), np.uint8), np.array([8])).opens.any()


def test_frames_to_many_are_told_by_their_address() -> None:
    raw = [bytes(Ether(src=ONE, dst=to) / ARP()) for to in (OTHER, "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:16")]
    data = np.stack([np.frombuffer(content, np.uint8) for content in raw])
    assert to_many(data).tolist() == [False, True, True]
