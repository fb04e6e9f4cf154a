"""The least that Python does for a packet: `python -m bench.batches send|echo SECONDS FD [BYTES]`.

ctypes and numpy over memory laid out once, as limit.c does it in C. What the product needs more for a packet
(a schedule, a record of it, checks, sessions) is the distance from this to it.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import sys
import time

import numpy as np

from probe.net.clock import WallClock
from probe.net.transmit import MMSGHDR, SAMPLED, TransmitStamps

SEND_SLOTS, ECHO_SLOTS, TOLD_SLOTS = 256, 256, 256
WIDTH, CONTROL_BYTES, ADDRESS_BYTES = 2048, 128, 28
SEQUENCE_AT, TIMES_AT = 16, 32
ID_WORD = 23  # of what the error queue tells: the packet's number
_MSG_DONTWAIT, _MSG_ERRQUEUE, _SO_TIMESTAMPNS = 0x40, 0x2000, 35
_IOVEC = np.dtype([("base", "u8"), ("len", "u8")])
libc = ctypes.CDLL(None, use_errno=True)


class Slots:
    """Packets, control buffers and addresses of so many messages, and the headers that point to them."""

    def __init__(self, count: int) -> None:
        self.packet = np.zeros((count, WIDTH), np.uint8)
        self.control = np.zeros((count, CONTROL_BYTES), np.uint8)
        self.address = np.zeros((count, ADDRESS_BYTES), np.uint8)
        self.iov, self.head = np.zeros(count, _IOVEC), np.zeros(count, MMSGHDR)
        slot = np.arange(count, dtype=np.uint64)
        self.iov["base"] = self.packet.ctypes.data + slot * WIDTH
        self.head["iov"], self.head["iovlen"] = self.iov.ctypes.data + slot * _IOVEC.itemsize, 1
        self.at = ctypes.c_void_p(self.head.ctypes.data)


def send(seconds: float, fd: int, packet_bytes: int) -> int:
    """sendmmsg of 256 (64 at a time cost Python more) on a connected socket; a sequence number and a stamp in each
    packet, and of one in ten the kernel tells when it left."""
    slots, told = Slots(SEND_SLOTS), Slots(TOLD_SLOTS)
    slots.iov["len"] = packet_bytes
    sequence = slots.packet[:, SEQUENCE_AT : SEQUENCE_AT + 4].view("<u4")[:, 0]
    stamp = slots.packet[:, TIMES_AT : TIMES_AT + 8].view("<i8")[:, 0]
    numbers = np.arange(SEND_SLOTS, dtype=np.uint32)
    with socket.socket(fileno=os.dup(fd)) as sock:
        stamps = TransmitStamps(sock, WallClock())
        stamps.ask(SAMPLED)
    slots.head["control"][::SAMPLED] = stamps.request.ctypes.data
    slots.head["controllen"][::SAMPLED] = stamps.request.nbytes
    told.head["control"] = told.control.ctypes.data + np.arange(TOLD_SLOTS, dtype=np.uint64) * CONTROL_BYTES
    times, ids = told.control.view(np.int64), told.control.view(np.uint32)[:, ID_WORD]
    left_ns = np.zeros(1 << 20, np.int64)
    packets = waiting = 0
    end_ns = time.monotonic_ns() + int(seconds * 1e9)
    while (now_ns := time.monotonic_ns()) < end_ns:
        np.add(numbers, packets & 0x7FFFFFFF, out=sequence)
        stamp[:] = now_ns
        sent = max(libc.sendmmsg(fd, slots.at, SEND_SLOTS, 0), 0)
        packets, waiting = packets + sent, waiting + -(-sent // SAMPLED)
        if waiting >= TOLD_SLOTS // 2:
            told.head["controllen"] = CONTROL_BYTES
            count = max(libc.recvmmsg(fd, told.at, TOLD_SLOTS, _MSG_ERRQUEUE | _MSG_DONTWAIT, None), 0)
            left_ns[ids[:count] & 0xFFFFF] = times[:count, 2] * 1_000_000_000 + times[:count, 3]
            waiting = 0
    return packets


def echo(seconds: float, fd: int) -> int:
    """recvmmsg with kernel stamps, both times written, sendmmsg to the senders."""
    into, out = Slots(ECHO_SLOTS), Slots(ECHO_SLOTS)
    slot = np.arange(ECHO_SLOTS, dtype=np.uint64)
    into.iov["len"] = WIDTH
    into.head["control"] = into.control.ctypes.data + slot * CONTROL_BYTES
    for head in (into.head, out.head):
        head["name"] = into.address.ctypes.data + slot * ADDRESS_BYTES
    out.iov["base"] = into.iov["base"]
    times = into.packet[:, TIMES_AT : TIMES_AT + 16].view("<i8")
    stamps = into.control.view(np.int64)
    packets, end_ns = 0, time.monotonic_ns() + int(seconds * 1e9)
    while time.monotonic_ns() < end_ns:
        into.head["controllen"], into.head["namelen"] = CONTROL_BYTES, ADDRESS_BYTES
        count = libc.recvmmsg(fd, into.at, ECHO_SLOTS, _MSG_DONTWAIT, None)
        if count <= 0:
            select.select([fd], [], [], 0.001)
            continue
        times[:count, 0] = stamps[:count, 2] * 1_000_000_000 + stamps[:count, 3]
        times[:count, 1] = time.time_ns()
        out.iov["len"][:count], out.head["namelen"][:count] = (
            into.head["len"][:count],
            into.head["namelen"][:count],
        )
        packets += max(libc.sendmmsg(fd, out.at, count, 0), 0)
    return packets


def main(kind: str, seconds: float, fd: int, packet_bytes: int) -> None:
    if kind == "echo":
        with socket.socket(fileno=os.dup(fd)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    cpu = time.thread_time_ns()
    packets = send(seconds, fd, packet_bytes) if kind == "send" else echo(seconds, fd)
    print(json.dumps({"packets": packets, "cpu_ns": time.thread_time_ns() - cpu}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 0)
