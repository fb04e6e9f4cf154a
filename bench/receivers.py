"""Receivers to compare: `python -m bench.receivers probe|asyncio SECONDS SOCKET_FD`.

Each keeps the sequence number, the sender's stamp and the arrival of every packet, as limit.c does.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time

import numpy as np

from probe.net.clock import Waiter, be_punctual, monotonic_ns
from probe.net.udp import MEDIA_SLOTS, open_udp

KEPT = 1 << 16
_FIELDS = np.dtype([("before", "V16"), ("sequence", "<u4"), ("between", "V12"), ("sent", "<i8")])
_STRUCT = struct.Struct("<16xI12xq")


def probe(seconds: float, sock: socket.socket) -> int:
    """The product's socket and its batches, as its client has them."""
    be_punctual()
    carrier = open_udp(sock=sock, peer=sock.getpeername(), slots=MEDIA_SLOTS)
    waiter = Waiter(carrier.fileno())
    sequence, sent, arrived = np.zeros(KEPT, "u4"), np.zeros(KEPT, "i8"), np.zeros(KEPT, "i8")
    at = packets = 0
    end_ns = monotonic_ns() + int(seconds * 1e9)
    while (now_ns := monotonic_ns()) < end_ns:
        batch = carrier.receive()
        count = len(batch.size)
        if not count:
            waiter.wait(now_ns + 1_000_000)
            continue
        if at + count > KEPT:
            at = 0
        fields = batch.data[:, : _FIELDS.itemsize].view(_FIELDS)[:, 0]
        sequence[at : at + count], sent[at : at + count] = fields["sequence"], fields["sent"]
        arrived[at : at + count] = batch.time_ns
        at += count
        packets += count
    return packets


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.packets = 0
        self._kept: list[tuple[int, int, int]] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        sequence, sent = _STRUCT.unpack_from(data)
        self._kept.append((sequence, sent, time.time_ns()))
        self.packets += 1
        if len(self._kept) > KEPT:
            self._kept.clear()


async def with_asyncio(seconds: float, sock: socket.socket) -> int:
    """A DatagramProtocol, user-space stamps."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Protocol, sock=sock)
    await asyncio.sleep(seconds)
    transport.close()
    return protocol.packets


def main(kind: str, seconds: float, fd: int) -> None:
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    cpu, start = time.thread_time_ns(), time.monotonic()
    packets = probe(seconds, sock) if kind == "probe" else asyncio.run(with_asyncio(seconds, sock))
    cpu, wall = time.thread_time_ns() - cpu, time.monotonic() - start
    print(json.dumps({"packets": packets, "cpu_ns": cpu, "seconds": wall}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
