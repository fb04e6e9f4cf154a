from __future__ import annotations

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from probe.methods.quic_trace import QuicTrace, StreamBytes, TraceLogger
from tests.quic_parts import CERTIFICATE

ADDRESS = ("192.0.2.1", 1)


def pair() -> tuple[QuicConnection, QuicConnection, QuicTrace, QuicTrace]:
    """Two connected ends and their traces."""
    common = {"alpn_protocols": ["x"], "max_datagram_frame_size": 1200}
    client = QuicConnection(
        configuration=QuicConfiguration(**common, verify_mode=0, quic_logger=TraceLogger())  # type: ignore[arg-type]
    )
    server = QuicConnection(
        configuration=QuicConfiguration(
            **common,  # type: ignore[arg-type]
            is_client=False,
            certificate=CERTIFICATE.certificate,
            private_key=CERTIFICATE.private_key,
            quic_logger=TraceLogger(),
        ),
        original_destination_connection_id=client.original_destination_connection_id,
    )
    traces = client._quic_logger, server._quic_logger
    assert isinstance(traces[0], QuicTrace)
    assert isinstance(traces[1], QuicTrace)
    client.connect(ADDRESS, 0.0)
    for step in range(6):
        move(client, server, step / 100)
        move(server, client, step / 100)
    return client, server, traces[0], traces[1]


def move(sender: QuicConnection, receiver: QuicConnection, now: float, *, lose: bool = False) -> None:
    for data, _ in sender.datagrams_to_send(now):
        if not lose:
            receiver.receive_datagram(data, ADDRESS, now)


def test_nothing_is_kept_until_it_is_asked_for() -> None:
    client, server, mine, theirs = pair()
    client.send_stream_data(2, b"hello")
    move(client, server, 0.1)
    assert mine.take_sent() == []
    assert (mine.packets_sent, theirs.packets_received, len(theirs.received)) == (0, 0, 0)


def test_packets_and_their_contents_are_told() -> None:
    client, server, mine, theirs = pair()
    mine.recording = theirs.recording = True
    number = client._packet_number
    client.send_stream_data(2, b"hello")
    client.send_datagram_frame(b"a")
    client.send_datagram_frame(b"b")
    move(client, server, 0.1)
    (sent,) = mine.take_sent()
    assert sent == (number, (StreamBytes(2, 0, 5),), 2)
    assert mine.take_sent() == []
    assert number in theirs.received
    assert mine.window_min is not None


def test_a_lost_packet_is_not_among_those_received() -> None:
    client, server, mine, theirs = pair()
    mine.recording = theirs.recording = True
    lost = client._packet_number
    client.send_stream_data(2, b"hello")
    move(client, server, 0.1, lose=True)
    timer = client.get_timer()
    assert timer is not None
    client.handle_timer(timer + 1e-6)
    move(client, server, timer + 1e-6)
    first, again = mine.take_sent()
    assert (first.number, again.number) == (lost, lost + 1)
    assert first.stream_bytes == again.stream_bytes == (StreamBytes(2, 0, 5),)
    assert lost not in theirs.received
    assert lost + 1 in theirs.received
    assert mine.declared_lost == 1
