"""Sends prepared packets of one 5-tuple: `python -m bench.blast SOCKET_FD FILE_FD BYTES RATE SECONDS SEGMENTS`.

The file holds packets of BYTES each, sent one after the other and from the start again. SEGMENTS > 1
hands that many to the kernel with one call (UDP_SEGMENT), which is how one CPU can overload a receiver;
1 sends each by itself at its time.
"""

from __future__ import annotations

import contextlib
import mmap
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.processes import running

_SOL_UDP, _UDP_SEGMENT = 17, 103
SEGMENTS = 32


@contextlib.contextmanager
def blast(
    sock: socket.socket,
    packets_fd: int,
    packet_bytes: int,
    *,
    rate_pps: float,
    seconds: float,
    segments: int = SEGMENTS,
    cpu: int | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A blast from a connected socket in a process of its own, for the length of the block at most."""
    command = (sys.executable, "-m", "bench.blast", str(sock.fileno()), str(packets_fd), str(packet_bytes))
    numbers = (str(rate_pps), str(seconds), str(segments))
    with running(*command, *numbers, cpu=cpu, fds=(sock.fileno(), packets_fd)) as child:
        yield child


def main(
    socket_fd: int, file_fd: int, packet_bytes: int, rate_pps: float, seconds: float, segments: int
) -> None:
    with (
        socket.socket(fileno=socket_fd) as sock,
        mmap.mmap(file_fd, 0, prot=mmap.PROT_READ) as memory,
        memoryview(memory) as packets,
    ):
        if segments > 1:
            sock.setsockopt(_SOL_UDP, _UDP_SEGMENT, struct.pack("@i", packet_bytes))
        _send(sock, packets, packet_bytes, rate_pps, seconds, segments)


def _send(
    sock: socket.socket,
    packets: memoryview,
    packet_bytes: int,
    rate_pps: float,
    seconds: float,
    segments: int,
) -> None:
    whole = len(packets) // (packet_bytes * segments) * segments  # so that every call has all its segments
    end = int(rate_pps * seconds)
    sent = 0
    start = time.perf_counter()
    while sent < end:
        due = min(int((time.perf_counter() - start) * rate_pps), end)
        while sent + segments <= due:
            at = sent % whole * packet_bytes
            with contextlib.suppress(ConnectionRefusedError):
                sock.send(packets[at : at + segments * packet_bytes])
            sent += segments
        if sent + segments > end:
            return


if __name__ == "__main__":
    fds, numbers = [int(word) for word in sys.argv[1:4]], [float(word) for word in sys.argv[4:6]]
    main(fds[0], fds[1], fds[2], numbers[0], numbers[1], int(sys.argv[6]))
