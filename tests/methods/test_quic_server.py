from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, ProtocolNegotiated
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.methods.quic_client import Handshake, client_connection
from probe.methods.quic_server import (
    CONTROL_ALPN,
    ROQ_ALPN,
    QuicServer,
    ServerLimits,
    server_configuration,
    source,
)
from tests.quic_parts import CERTIFICATE, IDENTITY

CLIENT = ("192.0.2.1", 50000)
NODE = ("192.0.2.2", 40000)


def quic_server(**limits: Any) -> QuicServer:
    configuration = server_configuration(CERTIFICATE.certificate, CERTIFICATE.private_key)
    return QuicServer(configuration, random=Random(1).randbytes, limits=ServerLimits(**limits))


def initial(alpn: str = CONTROL_ALPN) -> bytes:
    """A client's first datagram."""
    quic = client_connection(IDENTITY, alpn)
    quic.connect(NODE, 0.0)
    return quic.datagrams_to_send(0.0)[0][0]


def exchange(client: QuicConnection, server: QuicServer, address: Any = CLIENT, now: float = 0.0) -> None:
    """Move datagrams to and fro until both are silent."""
    for _ in range(12):
        for data, _ in client.datagrams_to_send(now):
            server.receive_datagram(data, address, now)
        for data, to in server.datagrams_to_send(now):
            if to == address:
                client.receive_datagram(data, NODE, now)
        now += 0.01


def events(server: QuicServer) -> Iterator[Any]:
    while (item := server.next_event()) is not None:
        yield item[1]


@pytest.mark.parametrize("alpn", [CONTROL_ALPN, ROQ_ALPN])
def test_a_client_gets_the_protocol_it_names(alpn: str) -> None:
    server, client = quic_server(), client_connection(IDENTITY, alpn)
    client.connect(NODE, 0.0)
    exchange(client, server)
    found = list(events(server))
    assert isinstance(found[0], ProtocolNegotiated)
    assert any(isinstance(event, HandshakeCompleted) for event in found)
    assert [peer.alpn for peer in server.peers] == [alpn]


def test_another_protocol_is_refused() -> None:
    server, client = quic_server(), client_connection(IDENTITY, "h3")
    client.connect(NODE, 0.0)
    exchange(client, server)
    assert client._close_event is not None
    assert not any(peer.alpn for peer in server.peers)


def test_a_closed_connection_is_forgotten() -> None:
    server, client = quic_server(), client_connection(IDENTITY, CONTROL_ALPN)
    client.connect(NODE, 0.0)
    exchange(client, server)
    client.close()
    exchange(client, server, now=0.2)
    timer = server.get_timer()
    assert timer is not None
    server.handle_timer(timer + 1)
    assert not server.peers
    assert not server._by_cid
    assert any(isinstance(event, ConnectionTerminated) for event in events(server))
    assert server.get_timer() is None


def test_a_handshake_that_is_given_up_at_once_leaves_nothing() -> None:
    server, handshake = quic_server(), Handshake(IDENTITY, NODE)
    handshake.connect(0.0)
    exchange(handshake, server)  # type: ignore[arg-type]
    assert handshake.completed_at is not None
    assert handshake.closed is None
    server.handle_timer(30.0)
    assert not server.peers


# Nobody's weapon.


def test_a_short_initial_gets_silence() -> None:
    server = quic_server()
    server.receive_datagram(initial()[:1199], CLIENT, 0.0)
    assert server.datagrams_to_send(0.0) == []
    assert not server.peers
    assert server.counts.strays == 1


def test_an_unknown_connection_gets_silence() -> None:
    server = quic_server()
    server.receive_datagram(bytes([0x40]) + bytes(1300), CLIENT, 0.0)
    assert server.datagrams_to_send(0.0) == []
    assert not server.peers


def version(number: int, size: int) -> bytes:
    return (b"\xc0" + number.to_bytes(4, "big") + b"\x08" + bytes(8) + b"\x08" + bytes(8)).ljust(size, b"\0")


def test_an_unknown_version_is_told_the_known_ones_by_less_than_it_sent() -> None:
    server = quic_server()
    server.receive_datagram(version(0x1A2A3A4A, 1200), CLIENT, 0.0)
    ((answer, to),) = server.datagrams_to_send(0.0)
    assert to == CLIENT
    assert answer[1:5] == bytes(4)
    assert len(answer) < 100


@pytest.mark.parametrize("data", [version(0x1A2A3A4A, 1199), version(0, 1200)])
def test_a_short_or_negotiating_datagram_is_not_told_versions(data: bytes) -> None:
    server = quic_server()
    server.receive_datagram(data, CLIENT, 0.0)
    assert server.datagrams_to_send(0.0) == []


def test_no_more_than_three_times_what_came_goes_to_an_address_that_is_not_proved() -> None:
    server = quic_server()
    data = initial()
    server.receive_datagram(data, CLIENT, 0.0)
    sent, now = 0, 0.0
    while (timer := server.get_timer()) is not None and now < 60:
        sent += sum(len(answer) for answer, _ in server.datagrams_to_send(now))
        now = max(timer, now) + 1e-3
        server.handle_timer(now)
    assert 0 < sent <= 3 * len(data)
    assert now < 12  # the ten seconds that it had
    assert not server.peers


def test_one_source_has_few_connections_without_key() -> None:
    server = quic_server(unconfirmed_per_source=3, unconfirmed=100)
    for port in range(5):
        server.receive_datagram(initial(), ("192.0.2.7", 1000 + port), 0.0)
    assert len(server.peers) == 3
    assert server.counts.refused == 2
    server.receive_datagram(initial(), ("192.0.2.8", 1000), 0.0)
    assert len(server.peers) == 4
    server.peers[0].confirmed = True
    server.receive_datagram(initial(), ("192.0.2.7", 2000), 0.0)
    assert len(server.peers) == 5


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_source_is_a_customer(host: str, expected: str) -> None:
    assert source(host) == expected


def test_a_flood_of_forged_addresses_takes_no_connection_from_clients() -> None:
    server = quic_server(unconfirmed=8)
    for port in range(50):
        server.receive_datagram(initial(), ("198.51.100.1", port), 0.0)
        server.datagrams_to_send(0.0)
    assert len(server.peers) == 4
    client = client_connection(IDENTITY, CONTROL_ALPN)
    client.connect(NODE, 0.0)
    exchange(client, server)
    assert client._handshake_complete
    assert client._retry_count == 1


def test_an_invented_token_is_answered_with_a_true_one() -> None:
    server = quic_server()
    configuration = QuicConfiguration(alpn_protocols=[CONTROL_ALPN], server_name="node", token=bytes(40))
    client = QuicConnection(configuration=configuration)
    client.connect(NODE, 0.0)
    server.receive_datagram(client.datagrams_to_send(0.0)[0][0], CLIENT, 0.0)
    assert not server.peers
    ((answer, _),) = server.datagrams_to_send(0.0)
    assert len(answer) < 400


def test_a_connection_that_breaks_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    server = quic_server()
    clients = [client_connection(IDENTITY, CONTROL_ALPN) for _ in range(2)]
    for port, client in enumerate(clients):
        client.connect(NODE, 0.0)
        exchange(client, server, ("192.0.2.1", port))
    broken, whole = server.peers
    list(events(server))

    def fail(*_: Any) -> None:
        raise IndexError

    monkeypatch.setattr(broken.quic, "receive_datagram", fail)
    clients[0].send_ping(1)
    exchange(clients[0], server, ("192.0.2.1", 0), 1.0)
    assert server.peers == [whole]
    assert server.counts.broken == 1
    assert [type(event) for event in events(server)] == [ConnectionTerminated]


INITIAL = initial()


@given(st.binary(max_size=1400))
def test_any_bytes_are_survived(data: bytes) -> None:
    server = quic_server()
    server.receive_datagram(data, CLIENT, 0.0)
    server.datagrams_to_send(0.0)
    assert server.counts.broken == 0


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, len(INITIAL) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_initial_is_survived(changes: list[tuple[int, int]]) -> None:
    data = bytearray(INITIAL)
    for at, value in changes:
        data[at] = value
    server = quic_server()
    server.receive_datagram(bytes(data), CLIENT, 0.0)
    server.datagrams_to_send(0.0)
    assert server.counts.broken == 0
