"""RTP over QUIC: the varint examples of RFC 9000 A.1, and the draft's two encapsulations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.errors import ProtocolError
from probe.wire import roq

VARINTS = st.integers(0, roq.MAX_VARINT)
PACKETS = st.binary(min_size=1, max_size=80)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("c2197c5eff14e88c", 151_288_809_941_952_652),
        ("9d7f3e7d", 494_878_333),
        ("7bbd", 15_293),
        ("25", 37),
    ],
)
def test_varints_are_those_of_rfc_9000_a_1(text: str, value: int) -> None:
    data = bytes.fromhex(text)
    assert roq.read_varint(data) == (value, len(data))
    assert roq.encode_varint(value) == data


def test_a_varint_longer_than_necessary_is_read() -> None:
    assert roq.read_varint(bytes.fromhex("4025")) == (37, 2)  # RFC 9000 A.1


@pytest.mark.parametrize(
    ("value", "length"),
    [(0, 1), (63, 1), (64, 2), (16383, 2), (16384, 4), (2**30 - 1, 4), (2**30, 8), (2**62 - 1, 8)],
)
def test_varints_change_length_where_table_4_says(value: int, length: int) -> None:
    data = roq.encode_varint(value)
    assert len(data) == length
    assert roq.read_varint(b"\xff" + data, 1) == (value, 1 + length)
    assert roq.read_varint(data[:-1]) is None


@pytest.mark.parametrize("value", [-1, 2**62])
def test_what_is_no_varint_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="no QUIC variable-length integer"):
        roq.encode_varint(value)


def test_a_datagram_is_flow_identifier_and_packet() -> None:
    assert roq.encode_datagram(15_293, b"rtp") == bytes.fromhex("7bbd") + b"rtp"


def test_a_stream_is_flow_identifier_then_packets_behind_their_lengths() -> None:
    data = (
        roq.encode_stream_header(37) + roq.encode_stream_packet(b"rtp") + roq.encode_stream_packet(b"x" * 64)
    )
    assert data == b"\x25" + b"\x03rtp" + b"\x40\x40" + b"x" * 64


@given(VARINTS, PACKETS)
def test_datagrams_survive_the_wire(flow_id: int, packet: bytes) -> None:
    assert roq.decode_datagram(roq.encode_datagram(flow_id, packet)) == (flow_id, packet)


@given(st.binary(max_size=12))
def test_any_datagram_gives_a_packet_or_a_protocol_error(data: bytes) -> None:
    try:
        flow_id, packet = roq.decode_datagram(data)
    except ProtocolError:
        return
    assert 0 <= flow_id <= roq.MAX_VARINT
    assert data.endswith(packet)
    assert packet


@given(VARINTS, st.lists(PACKETS, max_size=5), st.data())
def test_a_stream_cut_anywhere_gives_the_same_packets(
    flow_id: int, packets: list[bytes], data: st.DataObject
) -> None:
    stream = roq.encode_stream_header(flow_id) + b"".join(map(roq.encode_stream_packet, packets))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder = roq.StreamDecoder()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += decoder.feed(stream[start:end])
    assert received == [(flow_id, packet) for packet in packets]
    assert decoder.flow_id == flow_id


def test_a_packet_comes_with_its_last_byte() -> None:
    decoder = roq.StreamDecoder()
    stream = roq.encode_stream_header(70) + roq.encode_stream_packet(b"x" * 100)
    assert [len(decoder.feed(stream[at : at + 1])) for at in range(len(stream))] == [0] * (
        len(stream) - 1
    ) + [1]


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_any_stream_gives_packets_or_a_protocol_error(pieces: list[bytes]) -> None:
    decoder = roq.StreamDecoder()
    try:
        received = [item for piece in pieces for item in decoder.feed(piece)]
    except ProtocolError:
        with pytest.raises(ProtocolError):
            decoder.feed(b"")
        return
    assert sum(len(packet) + 1 for _, packet in received) <= sum(map(len, pieces))


@pytest.mark.parametrize("length", [0, roq.MAX_PACKET + 1, roq.MAX_VARINT])
def test_a_length_that_no_packet_has_ends_the_stream(length: int) -> None:
    decoder = roq.StreamDecoder()
    stream = roq.encode_stream_header(0) + roq.encode_varint(length)
    with pytest.raises(ProtocolError, match=f"a packet of {length} bytes"):
        decoder.feed(stream)
