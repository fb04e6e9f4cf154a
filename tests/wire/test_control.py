"""Frames of the control channel, cut anywhere and of any bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.errors import ProtocolError
from probe.wire import control

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FRAMES = st.lists(st.dictionaries(TEXT, JSON, max_size=4) | st.binary(max_size=40), max_size=4)


def _encode(item: dict[str, Any] | bytes) -> bytes:
    return control.encode_blob(item) if isinstance(item, bytes) else control.encode_message(item)


def test_a_message_is_length_kind_and_json() -> None:
    assert control.encode_message({"type": "hello", "ä": 1}) == b'\0\0\0\x17\0{"type":"hello","\xc3\xa4":1}'


def test_a_blob_is_length_kind_and_bytes() -> None:
    assert control.encode_blob(b"\xff\0") == b"\0\0\0\2\1\xff\0"


@pytest.mark.slow
@given(FRAMES, st.data())
def test_a_stream_cut_anywhere_gives_the_same_frames(
    frames: list[dict[str, Any] | bytes], data: st.DataObject
) -> None:
    stream = b"".join(map(_encode, frames))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder = control.Decoder()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += decoder.feed(stream[start:end])
    assert received == frames


def test_a_frame_comes_with_its_last_byte() -> None:
    decoder = control.Decoder()
    stream = control.encode_message({"type": "hello"})
    assert [decoder.feed(stream[at : at + 1]) for at in range(len(stream) - 1)] == [[]] * (len(stream) - 1)
    assert decoder.feed(stream[-1:]) == [{"type": "hello"}]


KIND_AND_JSON = st.builds(
    lambda kind, payload: len(payload).to_bytes(4, "big") + bytes([kind]) + payload,
    st.integers(0, 2),
    st.text('[]{}",:0123456789.eE-+ \\u', max_size=20).map(str.encode) | st.binary(max_size=20),
)


@given(st.lists(st.binary(max_size=20) | KIND_AND_JSON, max_size=5))
def test_any_bytes_give_frames_or_a_protocol_error(pieces: list[bytes]) -> None:
    decoder = control.Decoder()
    try:
        received = [item for piece in pieces for item in decoder.feed(piece)]
    except ProtocolError:
        with pytest.raises(ProtocolError):
            decoder.feed(b"")
        return
    assert control.Decoder().feed(b"".join(map(_encode, received))) == received


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'"hello"',
        b"null",
        b"{",
        b"\xff",
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":-Infinity}',
        b'{"a":"\\ud800"}',
        b'{"a":' + b"1" * 5000 + b"}",
        b"[" * 60_000,
        b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    ],
)
def test_what_is_no_json_object_is_a_protocol_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="control message is not"):
        control.Decoder().feed(len(payload).to_bytes(4, "big") + b"\0" + payload)


@pytest.mark.parametrize(
    "header",
    [
        (control.MAX_MESSAGE + 1).to_bytes(4, "big") + b"\0",
        (control.MAX_BLOB + 1).to_bytes(4, "big") + b"\1",
        b"\xff\xff\xff\xff\0",
        b"\0\0\0\0\2",
    ],
)
def test_a_header_is_refused_before_its_payload_comes(header: bytes) -> None:
    decoder = control.Decoder()
    with pytest.raises(ProtocolError, match="control frame of"):
        decoder.feed(header)


def test_an_end_that_takes_no_blobs_says_so() -> None:
    with pytest.raises(ProtocolError, match="over the limit of 0"):
        control.Decoder(max_blob=0).feed(control.encode_blob(b"x"))


@pytest.mark.parametrize("message", [{"a": float("nan")}, {"a": "\ud800"}, {"a": "x" * control.MAX_MESSAGE}])
def test_what_the_peer_would_refuse_is_not_sent(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates|takes 65536 bytes"):
        control.encode_message(message)


def test_a_blob_has_a_limit() -> None:
    with pytest.raises(ValueError, match="takes 16777216 bytes"):
        control.encode_blob(bytes(control.MAX_BLOB + 1))
