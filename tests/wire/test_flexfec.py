"""Repair packets against the layout of RFC 8627 4.2, and recovery by a second, plain implementation of 6.3."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire import flexfec
from probe.wire.media import FEC_SSRC, PT_FEC
from tests.wire.test_red import rows

SSRC = 0x0AB00007
MEDIA = [
    bytes([0x80, 0x6F | 0x80 * (number == 0)])
    + (65534 + number & 0xFFFF).to_bytes(2, "big")
    + (960 * number).to_bytes(4, "big")
    + SSRC.to_bytes(4, "big")
    + bytes([number + 1]) * (20 + 3 * number)
    for number in range(4)
]


def plain_string(packet: bytes, width: int) -> bytes:
    """RFC 8627 6.3.2: 16 bits of the header, 16 of the length behind it, the timestamp, then what follows."""
    string = packet[:2] + (len(packet) - 12).to_bytes(2, "big") + packet[4:8] + packet[12:]
    return string.ljust(width, b"\0")


def xor(strings: list[bytes]) -> bytes:
    return bytes(reduce(lambda one, other: one ^ other, column) for column in zip(*strings, strict=True))


def repair_of(packets: list[bytes], offsets: list[int], span: int) -> bytes:
    data, size = rows(packets)
    string = np.bitwise_xor.reduce(flexfec.strings(data, size), axis=0)[None]
    mask = np.zeros((1, flexfec.MAX_SPAN), np.bool_)
    mask[0, offsets] = True
    out, total = flexfec.encode(
        string,
        size.max(keepdims=True),
        payload_type=PT_FEC,
        span=span,
        sequence=np.array([300]),
        timestamp=np.frombuffer(b"\1\2\3\4", np.uint8)[None],
        ssrc=np.array([SSRC | FEC_SSRC], np.uint32),
        protected=np.array([SSRC], np.uint32),
        base=np.array([65534]),
        mask=mask,
    )
    return out[0, : total[0]].tobytes()


@pytest.mark.parametrize(
    ("span", "mask"),
    [
        (15, "f800"),  # k = 1 and bits 0..3
        (46, "7800 80000000"),  # k = 0 says that more follows; k = 1 that no more does
        (110, "7800 00000000 0000000000000000"),
    ],
)
def test_a_repair_packet_is_laid_out_as_rfc_8627_4_2_says(span: int, mask: str) -> None:
    string = xor([plain_string(packet, 8 + 29) for packet in MEDIA])
    packet = repair_of(MEDIA, [0, 1, 2, 3], span)
    head = bytes([0x81, PT_FEC]) + (300).to_bytes(2, "big") + b"\1\2\3\4"
    head += (SSRC | FEC_SSRC).to_bytes(4, "big") + SSRC.to_bytes(4, "big")
    fec = bytes([string[0] & 0x3F]) + string[1:8] + (65534).to_bytes(2, "big") + bytes.fromhex(mask)
    assert packet == head + fec + string[8:]
    assert len(packet) - 29 == flexfec.header_bytes(span)


@given(
    st.lists(st.binary(min_size=1, max_size=40), min_size=2, max_size=15),
    st.data(),
)
def test_the_missing_packet_is_rebuilt_to_the_byte(payloads: list[bytes], data: st.DataObject) -> None:
    packets = [
        MEDIA[0][:2]
        + (65534 + number & 0xFFFF).to_bytes(2, "big")
        + (960 * number).to_bytes(4, "big")
        + SSRC.to_bytes(4, "big")
        + payload
        for number, payload in enumerate(payloads)
    ]
    lost = data.draw(st.integers(0, len(packets) - 1))
    repair, size = rows([repair_of(packets, list(range(len(packets))), 15)])
    start = np.frombuffer(repair[0, :4].tobytes(), ">u4").astype(np.uint32)
    assert flexfec.is_repair(start, PT_FEC).all()
    found = flexfec.parse(repair, size)
    assert found.good.all()
    assert (found.protected[0], found.base[0]) == (SSRC, 65534)
    assert found.mask[0].nonzero()[0].tolist() == list(range(len(packets)))
    others, sizes = rows([packet for number, packet in enumerate(packets) if number != lost])
    string = found.string.copy()
    for other in flexfec.strings(others, sizes):
        string[0, : len(other)] ^= other[: string.shape[1]]
    rebuilt, length = flexfec.rebuild(string, np.array([65534 + lost & 0xFFFF]), np.array([SSRC], np.uint32))
    assert rebuilt[0, : length[0]].tobytes() == packets[lost]


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
def test_any_bytes_are_read_without_harm(packets: list[bytes]) -> None:
    found = flexfec.parse(*rows(packets))
    assert len(found.good) == len(packets)
    assert all(
        len(packet) >= flexfec.header_bytes(1)
        for packet, good in zip(packets, found.good, strict=True)
        if good
    )
