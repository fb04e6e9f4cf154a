"""The gate: a frame that opens a flow waits for the gateway, and only that."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import numpy as np
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6

from probe.methods.batch import Batch, no_address
from probe.net.gate import GONE, MAX_HELD, OPEN, REFUSED, SILENT, Gate
from probe.net.pipe import Pipe
from tests.wire.test_ethernet import frames

HOSTS = ("198.18.0.1", "2001:2::1")


def batch(*packets: Any) -> Batch:
    data, size = frames(*packets)
    return Batch(data, size, np.arange(len(size)), no_address(len(size)))


@pytest.fixture
def both() -> Iterator[tuple[Gate, Pipe]]:
    mine, its = socket.socketpair()
    gateway = Pipe(its)
    pings = frozenset(ip_address(host).packed.ljust(16, b"\0") for host in HOSTS)
    yield Gate(Pipe(mine), pings), gateway
    mine.close()
    gateway.close()


def datagram(number: int, port: int = 1000) -> Any:
    return IP(dst="192.0.2.1") / UDP(sport=port, dport=9) / bytes([number])


def syn(port: int = 1000) -> Any:
    return IP(dst="192.0.2.1") / TCP(sport=port, dport=80, flags="S")


def last_bytes(found: Batch) -> list[int]:
    return [int(row[size - 1]) for row, size in zip(found.data, found.size, strict=True)]


def test_datagrams_wait_until_their_flow_is_open_and_then_pass(both: tuple[Gate, Pipe]) -> None:
    gate, gateway = both
    assert len(gate.sift(batch(datagram(1), datagram(2))).size) == 0
    assert len(gate.sift(batch(datagram(3))).size) == 0
    key, _ = gateway.receive()
    assert not gateway.holds_message  # one question a flow
    gateway.send((key, OPEN))
    assert [last_bytes(freed) for freed in gate.answered()] == [[1], [2], [3]]
    assert last_bytes(gate.sift(batch(datagram(4), datagram(5)))) == [4, 5]
    gateway.send((key, GONE))
    assert gate.answered() == []
    assert len(gate.sift(batch(datagram(6))).size) == 0
    assert gate.withheld == 0


def test_what_opens_nothing_is_not_held_up(both: tuple[Gate, Pipe]) -> None:
    gate, _ = both
    data = IP(dst="192.0.2.1") / TCP(sport=1000, dport=80, flags="A") / b"\7"
    assert last_bytes(gate.sift(batch(datagram(1), data, datagram(2)))) == [7]


def test_a_connection_waits_for_its_peer_and_meets_a_refusal(both: tuple[Gate, Pipe]) -> None:
    gate, gateway = both
    for port, outcome, passes in ((1, OPEN, 1), (2, REFUSED, 1), (3, SILENT, 0)):
        assert len(gate.sift(batch(syn(port), syn(port))).size) == 0
        key, _ = gateway.receive()
        gateway.send((key, outcome))
        assert len(gate.answered()) == passes
    # the repeated requests, and the one that nobody answered
    assert gate.withheld == 3 + 1
    assert len(gate.sift(batch(syn(1))).size) == 1  # repeated on the weak network: it is open
    assert len(gate.sift(batch(syn(2))).size) == 0  # refused before, asked for again


def test_a_flood_into_a_flow_that_is_not_open_is_bounded(both: tuple[Gate, Pipe]) -> None:
    gate, gateway = both
    gate.sift(batch(*(datagram(number) for number in range(MAX_HELD + 5))))
    key, _ = gateway.receive()
    gateway.send((key, OPEN))
    assert [last_bytes(freed)[0] for freed in gate.answered()] == list(range(MAX_HELD))
    assert gate.withheld == 5


def test_only_this_end_answers_pings(both: tuple[Gate, Pipe]) -> None:
    gate, _ = both
    here = [IP(dst=HOSTS[0]) / ICMP(), IPv6(dst=HOSTS[1]) / ICMPv6EchoRequest()]
    elsewhere = [IP(dst="192.0.2.1") / ICMP(), IPv6(dst="2001:db8::1") / ICMPv6EchoRequest()]
    assert len(gate.sift(batch(*here, *elsewhere)).size) == 2
    assert gate.withheld == 2
