"""Two TCP connections as one: bytes, ends and resets of either go on to the other."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

_CHUNK_BYTES = 1 << 16
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: the end is a reset


def reset(sock: socket.socket) -> None:
    """End a connection by a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    sock.close()


async def carry_both(near: socket.socket, far: socket.socket) -> None:
    """Carry until both directions have ended."""
    near_reader, near_writer = await asyncio.open_connection(sock=near, limit=_CHUNK_BYTES)
    far_reader, far_writer = await asyncio.open_connection(sock=far, limit=_CHUNK_BYTES)
    writers = (near_writer, far_writer)
    try:
        await asyncio.gather(_carry(near_reader, far_writer), _carry(far_reader, near_writer))
    except OSError:  # either was reset: so are both
        for writer, sock in zip(writers, (near, far), strict=True):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
