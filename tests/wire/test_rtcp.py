"""RTCP against the layouts of RFC 3550 and RFC 4585, and the arrays against the scalar packets."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from probe.errors import ProtocolError
from probe.wire import rtcp
from probe.wire.rtcp import App, Bye, GenericNack, ReceiverReport, ReportBlock, SenderReport

U8, U16, U24, U32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 24, 32))
BLOCK = ReportBlock(0xBC5E9A40, 0x40, -2, 0x000146E1, 273, 0x09F36432, 150137)
BLOCK_HEX = "bc5e9a40 40fffffe 000146e1 00000111 09f36432 00024a79"

# Written by hand from the figures of RFC 3550 sections 6.4.1, 6.4.2, 6.6, 6.7 and RFC 4585 section 6.2.1.
VECTORS: list[tuple[rtcp.Packet, str]] = [
    (
        SenderReport(0x902F9E2E, 0xDA8BD1FCDDDDA05A, 0xAAF4EDD5, 1, 2, (BLOCK,)),
        "81c8000c 902f9e2e da8bd1fc dddda05a aaf4edd5 00000001 00000002" + BLOCK_HEX,
    ),
    (ReceiverReport(0x902F9E2E, (BLOCK, BLOCK)), "82c9000d 902f9e2e" + BLOCK_HEX + BLOCK_HEX),
    (ReceiverReport(1), "80c90001 00000001"),
    (Bye((0x902F9E2E,), "FOO"), "81cb0002 902f9e2e 03464f4f"),
    (Bye((1, 2), "ABCD"), "82cb0004 00000001 00000002 04414243 44000000"),
    (Bye(()), "80cb0000"),
    (App(5, 0x4BC4FCB4, b"prob", b"\1\2\3\4"), "85cc0003 4bc4fcb4 70726f62 01020304"),
    (GenericNack(0x902F9E2E, 0xBC5E9A40, (0x46E1,)), "81cd0003 902f9e2e bc5e9a40 46e10000"),
]


@pytest.mark.parametrize(("packet", "text"), VECTORS)
def test_packets_are_laid_out_as_the_rfcs_draw_them(packet: rtcp.Packet, text: str) -> None:
    assert packet.encode().hex() == text.replace(" ", "")
    assert rtcp.parse_compound(bytes.fromhex(text)) == [packet]


def test_a_compound_is_its_packets_in_order_without_those_of_unknown_types() -> None:
    source_description = bytes.fromhex("81ca0002 00000001 01014100")
    picture_loss = bytes.fromhex("81ce0002 00000001 00000002")
    transport_wide = bytes.fromhex("8fcd0003 00000001 00000002 00000000")
    packets = [packet for packet, _ in VECTORS]
    data = b"".join(packet.encode() for packet in packets)
    assert rtcp.parse_compound(source_description + data + picture_loss + transport_wide) == packets


def test_profile_extensions_of_a_report_are_ignored() -> None:
    assert rtcp.parse_compound(bytes.fromhex("80c90002 00000001 ffffffff")) == [ReceiverReport(1)]


@pytest.mark.parametrize(
    ("lost", "pairs"),
    [
        # RFC 4585 6.2.1: the lowest bit is set "if the packet corresponding to the PID and the
        # following packet have been lost".
        ((100, 101), [(100, 0x0001)]),
        (tuple(range(42, 59)), [(42, 0xFFFF)]),
        (tuple(range(42, 60)), [(42, 0xFFFF), (59, 0)]),
        ((10, 26), [(10, 0x8000)]),
        ((10, 27), [(10, 0), (27, 0)]),
        ((65535, 0), [(65535, 0x0001)]),
        ((65530, 10, 11), [(65530, 0x8000), (11, 0)]),
        ((0xAAAA, 0xAAAB, 0xAAAD, 0xAAAF, 0xAAB1, 0xAAB3, 0xAAB5, 0xAAB7, 0xAAB9), [(0xAAAA, 0x5555)]),
        ((7, 7, 8), [(7, 0x0001)]),
    ],
)
def test_lost_packets_fold_into_pid_and_bitmask(lost: tuple[int, ...], pairs: list[tuple[int, int]]) -> None:
    expected = b"".join(pid.to_bytes(2, "big") + blp.to_bytes(2, "big") for pid, blp in pairs)
    assert GenericNack(1, 2, lost).encode()[12:] == expected
    data, size = _encode({0: lost})
    assert data.tobytes()[: size[0]] == GenericNack(10, 20, lost).encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "80",
        "80c900",
        "40c90001 00000001",  # version 1
        "80c90002 00000001",  # longer than the datagram
        "80c90000",  # no room for the SSRC
        "81c90001 00000001",  # no room for the report block it counts
        "81cb0000",  # no room for the source it counts
        "80cb0001 04414243",  # reason beyond the packet
        "80cc0001 00000001",  # no name
        "81cd0002 00000001 00000002",  # a NACK that names nothing
        "a0c90002 00000001 00000000",  # padding of zero bytes
        "a0c90002 00000001 00000003",  # padding that is no whole word
        "a0c90002 00000001 0000000c",  # padding into the header
        "a0c90000",
        "a0c90002 00000001 00000004 80c90001 00000001",  # padding before the last packet
        "80c90001 00000001 00",
    ],
)
def test_malformed_rtcp_is_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        rtcp.parse_compound(bytes.fromhex(text))


@pytest.mark.parametrize(
    "build",
    [
        lambda: App(0, 1, b"abc").encode(),
        lambda: App(0, 1, b"abcd", b"odd").encode(),
        lambda: App(32, 1, b"abcd").encode(),
        lambda: ReceiverReport(1, (BLOCK,) * 32).encode(),
        lambda: GenericNack(1, 2, ()).encode(),
        lambda: Bye((), "ä" * 128).encode(),
    ],
)
def test_what_has_no_encoding_is_refused(build: Callable[[], bytes]) -> None:
    with pytest.raises(ValueError, match=r"RTCP header|APP packet|at least one|reason of a BYE"):
        build()


def test_padding_is_removed() -> None:
    assert rtcp.parse_compound(bytes.fromhex("a0c90002 00000001 00000004")) == [ReceiverReport(1)]


@given(st.builds(ReportBlock, U32, U8, st.integers(-(2**23), 2**23 - 1), U32, U32, U32, U32))
def test_report_blocks_survive_the_wire(block: ReportBlock) -> None:
    report = ReceiverReport(1, (block,))
    assert rtcp.parse_compound(report.encode()) == [report]


HEADS = st.sampled_from([bytes([first, kind, 0]) for first in (0x81, 0x82, 0xA1) for kind in range(200, 208)])


@given(st.binary(max_size=64) | st.builds(bytes.__add__, HEADS, st.binary(max_size=40)))
def test_any_bytes_give_packets_or_a_protocol_error(data: bytes) -> None:
    try:
        packets = rtcp.parse_compound(data)
    except ProtocolError:
        return
    assert all(rtcp.parse_compound(packet.encode()) == [packet] for packet in packets)


def _encode(lost: dict[int, tuple[int, ...]]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Group g is sender 10 + g, media 20 + g."""
    groups = max(lost) + 1
    return rtcp.encode_nacks(
        np.arange(10, 10 + groups, dtype=np.uint32),
        np.arange(20, 20 + groups, dtype=np.uint32),
        np.repeat(np.array(list(lost), np.intp), [len(some) for some in lost.values()]),
        np.array([sequence for some in lost.values() for sequence in some], np.uint16),
    )


@st.composite
def ascending(draw: st.DrawFn) -> tuple[int, ...]:
    """Lost sequence numbers of one stream, from anywhere, so that some wrap."""
    start = draw(U16)
    steps = draw(st.lists(st.integers(1, 40), max_size=40))
    return tuple(int(number) % 65536 for number in start + np.cumsum([0, *steps]))


@pytest.mark.slow
@given(st.dictionaries(st.integers(0, 5), ascending(), min_size=1))
def test_a_batch_of_nacks_is_byte_for_byte_the_scalar_ones(lost: dict[int, tuple[int, ...]]) -> None:
    data, size = _encode(lost)
    for row in range(max(lost) + 1):
        expected = GenericNack(10 + row, 20 + row, lost[row]).encode() if row in lost else b""
        assert data[row, : size[row]].tobytes() == expected
        assert not data[row, size[row] :].any()
    assert list(zip(*rtcp.parse_nacks(data, size), strict=True)) == [
        (group, 20 + group, number) for group in sorted(lost) for number in lost[group]
    ]


@given(st.lists(U16, min_size=1, max_size=30))
def test_lost_packets_in_any_order_are_still_named(lost: list[int]) -> None:
    assert set(rtcp.parse_nacks(*_encode({0: tuple(lost)}))[2]) == set(lost)


def test_nothing_lost_is_nothing_to_send() -> None:
    data, size = _encode({2: ()})
    assert size.tolist() == [0, 0, 0]
    assert not data.any()
    none = np.zeros(0, np.uint32)
    data, size = rtcp.encode_nacks(none, none, np.zeros(0, np.intp), np.zeros(0, np.uint16))
    assert len(data) == len(size) == 0


NACK_BYTES = GenericNack(1, 2, (65535, 0, 40)).encode()


@st.composite
def nearly_nacks(draw: st.DrawFn) -> bytes:
    """A well-formed NACK, perhaps padded, with a few bytes changed, cut or appended."""
    data = bytearray(NACK_BYTES)
    if draw(st.booleans()):
        data[0] |= 0x20
        data[3] += 1
        data += bytes([0, 0, 0, draw(st.sampled_from([0, 3, 4, 8, 12, 255]))])
    for at in draw(st.lists(st.integers(0, len(data) - 1), max_size=2)):
        data[at] = draw(U8)
    return bytes(data[: draw(st.integers(0, 30))]) + draw(st.binary(max_size=3))


@given(
    st.lists(st.binary(max_size=32) | nearly_nacks() | st.just(NACK_BYTES), max_size=8), st.integers(0, 40)
)
def test_the_batch_reads_exactly_what_the_scalar_reads(datagrams: list[bytes], extra: int) -> None:
    data = np.zeros((len(datagrams), max(map(len, datagrams), default=0) + extra), np.uint8)
    expected = []
    for row, datagram in enumerate(datagrams):
        data[row, : len(datagram)] = list(datagram)
        try:
            packets = rtcp.parse_compound(datagram)
        except ProtocolError:
            continue
        alone = 4 * (1 + int.from_bytes(datagram[2:4], "big")) == len(datagram)
        for packet in packets:
            if alone and isinstance(packet, GenericNack):
                expected += [(row, packet.media_ssrc, number) for number in packet.lost]
    size = np.array([len(datagram) for datagram in datagrams], np.int64)
    assert list(zip(*rtcp.parse_nacks(data, size), strict=True)) == expected


@given(st.integers(0, 20), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4), U8)
def test_sizes_that_cannot_be_are_no_nacks(width: int, size: list[int], filler: int) -> None:
    data = np.full((len(size), width), filler, np.uint8)
    sizes = np.array(size, np.int64)
    assert all(len(column) == 0 for column in rtcp.parse_nacks(data, sizes))
    assert len(rtcp.is_rtcp(data, sizes)) == len(size)


def test_rtcp_is_told_from_rtp_by_its_second_byte() -> None:
    second = np.arange(256)
    data = np.zeros((256, 12), np.uint8)
    data[:, 0], data[:, 1] = 0x80, second
    size = np.full(256, 12)
    assert np.flatnonzero(rtcp.is_rtcp(data, size)).tolist() == list(range(192, 224))
    assert not rtcp.is_rtcp(data, np.full(256, 3)).any()
    data[:, 0] = 0x40
    assert not rtcp.is_rtcp(data, size).any()
