"""Messages and file descriptors between our own processes, over a socket pair."""

from __future__ import annotations

import os
import pickle
import socket
import struct
from typing import Any

_MAX_FDS = 4


class PipeClosed(EOFError):
    """The process at the other end is gone."""


class Pipe:
    """One end: pickled messages, each with up to four descriptors. Only ever between our own processes."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = b""
        self._fds: list[int] = []

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, message: Any, fds: tuple[int, ...] = ()) -> None:
        """Raises PipeClosed when nobody reads any more."""
        body = pickle.dumps((message, len(fds)))
        frame = struct.pack("=I", len(body)) + body
        try:
            if fds:
                sent = socket.send_fds(self._sock, [frame], list(fds))
                frame = frame[sent:]
            self._sock.sendall(frame)
        except OSError:
            raise PipeClosed from None

    def receive(self) -> tuple[Any, list[int]]:
        """Wait for one message and its descriptors; raises PipeClosed at the end."""
        size = struct.unpack("=I", self._read(4))[0]
        message, count = pickle.loads(self._read(size))  # noqa: S301 (our own process wrote it)
        fds, self._fds = self._fds[:count], self._fds[count:]
        return message, fds

    def _read(self, size: int) -> bytes:
        while len(self._held) < size:
            try:
                data, fds, _, _ = socket.recv_fds(self._sock, 1 << 16, _MAX_FDS)
            except OSError:
                raise PipeClosed from None
            if not data:
                raise PipeClosed
            self._held += data
            self._fds += fds
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    @property
    def holds_message(self) -> bool:
        """Whether `receive` can answer from what is already read (the descriptor would not say so)."""
        return len(self._held) >= 4 and len(self._held) >= 4 + struct.unpack("=I", self._held[:4])[0]

    def close(self) -> None:
        self._sock.close()
        for fd in self._fds:
            os.close(fd)
