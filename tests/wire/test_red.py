"""RED packets against the layout of RFC 2198, byte by byte, and against whatever else may arrive."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from probe.wire import red
from probe.wire.columns import padded
from probe.wire.media import PT_AUDIO, PT_RED

HEADER = bytes.fromhex("80 ef 0007 00010000 deadbeef")  # marker, type 111, number 7, timestamp 65536


def rows(packets: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    size = np.array([len(packet) for packet in packets], np.int64)
    data = np.zeros((len(packets), padded(int(size.max(initial=0)))), np.uint8)
    for row, packet in zip(data, packets, strict=True):
        row[: len(packet)] = np.frombuffer(packet, np.uint8)
    return data, size


def level(blocks: list[tuple[bytes, int]]) -> red.Level:
    payload, length = rows([block for block, _ in blocks])
    return red.Level(payload, length, np.array([offset for _, offset in blocks]))


def test_a_packet_is_laid_out_as_rfc_2198_3_says() -> None:
    data, size = rows([HEADER + b"primary"])
    older, newer = level([(b"older", 1920)]), level([(b"new", 960)])
    out, total = red.encode(data, size, [older, newer], PT_RED, PT_AUDIO)
    # F=1, type 111, offset in 14 bits, length in 10 bits; twice; then F=0 and the type of the primary.
    blocks = bytes.fromhex("ef 1e0005 ef 0f0003 6f")
    assert out[0, : total[0]].tobytes() == (
        HEADER[:1] + bytes([0x80 | PT_RED]) + HEADER[2:] + blocks + b"older" + b"new" + b"primary"
    )
    assert not out[0, total[0] :].any()


def test_what_was_encoded_is_decoded_and_blocks_carry_their_own_timestamps() -> None:
    packets = [HEADER + b"a", HEADER + b"longer one", HEADER + b"none"]
    data, size = rows(packets)
    levels = [level([(b"x1", 1920), (b"", 0), (b"", 0)]), level([(b"y", 960), (b"yyyy", 960), (b"", 0)])]
    found = red.decode(*red.encode(data, size, levels, PT_RED, PT_AUDIO))
    assert found.good.all()
    assert [row[:used].tobytes() for row, used in zip(found.data, found.size, strict=True)] == packets
    assert found.row.tolist() == [0, 0, 1]
    copies = [row[:used].tobytes() for row, used in zip(found.block_data, found.block_size, strict=True)]
    for copy, payload, timestamp in zip(
        copies, (b"x1", b"y", b"yyyy"), (65536 - 1920, 65536 - 960, 65536 - 960), strict=True
    ):
        assert copy == bytes([0x80, PT_AUDIO, 0, 0]) + timestamp.to_bytes(4, "big") + HEADER[8:] + payload


def test_a_timestamp_wraps() -> None:
    data, size = rows([HEADER[:4] + (5).to_bytes(4, "big") + HEADER[8:] + b"p"])
    found = red.decode(*red.encode(data, size, [level([(b"b", 960)])], PT_RED, PT_AUDIO))
    assert int.from_bytes(found.block_data[0, 4:8].tobytes(), "big") == 2**32 - 955


def test_a_packet_that_ends_too_soon_is_not_good() -> None:
    data, size = rows([HEADER + b"primary"])
    out, total = red.encode(data, size, [level([(b"older", 960)])], PT_RED, PT_AUDIO)
    whole = out[0, : total[0]].tobytes()
    cut, lengths = rows([whole[:end] for end in range(len(whole) + 1)])
    good = red.decode(cut, lengths).good
    # Behind the header, two block headers and the redundant block an empty primary is a packet still.
    assert good.tolist() == [end >= 12 + 5 + 5 for end in range(len(whole) + 1)]


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=8))
def test_any_bytes_are_read_without_harm(packets: list[bytes]) -> None:
    data, size = rows(packets)
    found = red.decode(data, size)
    assert len(found.data) == np.count_nonzero(found.good) == len(found.size)
    assert len(found.block_data) == len(found.block_size) == len(found.row)
    assert (found.size >= 12).all()
    assert (found.block_size > 12).all()
    assert found.good[found.row].all()
