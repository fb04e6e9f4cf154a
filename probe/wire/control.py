"""Messages on the control channel: a QUIC stream of frames.

A frame is a 32-bit length of its payload in network byte order, one byte of kind, and the payload:
kind 0 is a message, a JSON object in UTF-8; kind 1 is a blob, any bytes.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from probe.errors import ProtocolError

MESSAGE, BLOB = 0, 1

MAX_MESSAGE = 64 * 1024
"""Bytes of the longest JSON text."""
MAX_BLOB = 16 * 1024 * 1024
"""Bytes of the longest blob."""

_HEADER = struct.Struct("!IB")


def encode_message(message: dict[str, Any]) -> bytes:
    """A frame with a JSON object; ValueError if it is too long or no JSON (NaN, a lone surrogate)."""
    return _frame(MESSAGE, _text(message), MAX_MESSAGE)


def encode_blob(blob: bytes) -> bytes:
    """A frame with bytes; ValueError if they are too many."""
    return _frame(BLOB, blob, MAX_BLOB)


class Decoder:
    """Takes the bytes of the stream in pieces of any size and gives back messages and blobs.

    `max_message` and `max_blob` bound what a peer can make us hold: 0 refuses all of that kind.
    """

    def __init__(self, *, max_message: int = MAX_MESSAGE, max_blob: int = MAX_BLOB) -> None:
        self._limits = {MESSAGE: max_message, BLOB: max_blob}
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any] | bytes]:
        """Take the next bytes; give the messages (dict) and blobs (bytes) that are complete now.

        Raises:
            ProtocolError: An unknown kind, a frame over its limit, or a message that is no JSON object.
                The stream is lost with all that this call has taken: the next call raises again.
        """
        buffer = self._buffer
        buffer += data
        received: list[dict[str, Any] | bytes] = []
        at = 0
        while len(buffer) >= at + _HEADER.size:
            length, kind = _HEADER.unpack_from(buffer, at)
            if kind not in self._limits:
                raise ProtocolError(f"control frame of unknown kind {kind}")
            if length > self._limits[kind]:
                raise ProtocolError(
                    f"control frame of {length} bytes, over the limit of {self._limits[kind]}"
                )
            start = at + _HEADER.size
            if len(buffer) < start + length:
                break
            payload = bytes(buffer[start : start + length])
            received.append(_parse_message(payload) if kind == MESSAGE else payload)
            at = start + length
        del buffer[:at]
        return received


def _parse_message(payload: bytes) -> dict[str, Any]:
    try:
        message = json.loads(payload.decode())
        # Python reads more than JSON is: NaN, 1e999, lone surrogates. Whoever writes them out would fail.
        _text(message)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("control message is not JSON") from error
    if not isinstance(message, dict):
        raise ProtocolError("control message is not a JSON object")
    return message


def _text(message: Any) -> bytes:
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _frame(kind: int, payload: bytes, limit: int) -> bytes:
    if len(payload) > limit:
        raise ValueError(f"a control frame of kind {kind} takes {limit} bytes, not {len(payload)}")
    return _HEADER.pack(len(payload), kind) + payload
