"""The least that Python does for a reflected packet whose checks are made: `python -m bench.checking SECONDS FD STREAMS
PACKETS SSRC_BASE`.

As `echo` of bench/batches.py, in the product's memory for packets, and what a reflector of our packets cannot leave
out: token, kind, check sum and sequence are looked at, and the payload's zeros; a number of its own; a row of the
log; the words of a reply. What the product has beside that (sessions, requests for repairs, two-step times,
duplicates, streams that come twice in a batch, strangers, counters, orders) is the distance from this to it.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time

import numpy as np

from bench.batches import ADDRESS_BYTES, CONTROL_BYTES, Slots, libc
from bench.session import PACKET_BYTES, TOKEN
from probe.net.mmsg import packet_memory
from probe.wire import log, media

SLOTS = 1024
_MSG_DONTWAIT, _SO_TIMESTAMPNS = 0x40, 35


def reflect(seconds: float, fd: int, streams: int, packets: int, ssrc_base: int) -> int:
    """Reflect until `seconds` have passed; raises ValueError for a batch that is not sound."""
    into, out = Slots(SLOTS), Slots(SLOTS)
    packet = packet_memory(SLOTS)
    slot = np.arange(SLOTS, dtype=np.uint64)
    into.iov["base"] = packet.ctypes.data + slot * packet.shape[1]
    into.iov["len"] = media.MAX_PACKET_BYTES
    into.head["control"] = into.control.ctypes.data + slot * CONTROL_BYTES
    for head in (into.head, out.head):
        head["name"] = into.address.ctypes.data + slot * ADDRESS_BYTES
    out.iov["base"], out.iov["len"] = into.iov["base"], PACKET_BYTES
    wire, zeros = media.word_view(packet), packet[:, media.MIN_PACKET_BYTES : PACKET_BYTES].view(np.uint64)
    stamps, token = into.control.view(np.int64), int.from_bytes(TOKEN[:4], "big")
    seen, next_of = np.zeros(streams * packets, np.bool_), np.zeros(streams, np.int64)
    rows = np.zeros(streams * packets, log.LOG)
    columns = {name: rows[name] for name in log.LOG.names or ()}
    done, end_ns = 0, time.monotonic_ns() + int(seconds * 1e9)
    while time.monotonic_ns() < end_ns:
        into.head["controllen"], into.head["namelen"] = CONTROL_BYTES, ADDRESS_BYTES
        count = libc.recvmmsg(fd, into.at, SLOTS, _MSG_DONTWAIT, None)
        if count <= 0:
            select.select([fd], [], [], 0.001)
            continue
        arrived = stamps[:count, 2] * 1_000_000_000 + stamps[:count, 3]
        words, size = media.read_words(packet[:count]), into.head["len"][:count]
        stream = words[:, media.W_SSRC].astype(np.int64) - ssrc_base
        key = words[:, media.W_INDEX].astype(np.int64) * streams + stream
        sound = words[:, media.W_KIND] == media.MEDIA_KIND
        sound &= words[:, media.W_TOKEN] == token
        sound &= (stream.view(np.uint64) < streams) & (words[:, media.W_INDEX] < packets)
        sound &= media.word_sums(words) == words[:, media.W_CHECK]
        sound &= size == PACKET_BYTES
        if np.count_nonzero(sound) < count or np.count_nonzero(zeros[:count]) or np.count_nonzero(seen[key]):
            raise ValueError("a packet that is not one of ours, damaged, or seen before")
        seen[key] = True
        number = next_of[stream]
        next_of[stream] = number + 1
        row, left = slice(done, done + count), time.time_ns()
        columns["t2"][row], columns["t3"][row] = arrived, left
        columns["index"][row], columns["stream"][row] = words[:, media.W_INDEX], stream
        columns["down_seq"][row], columns["size"][row], columns["flags"][row] = number, size, log.KERNEL_T2
        words[:, media.W_START] = words[:, media.W_START] & 0x00FF_0000 | 0x8000_0000 | (number & 0xFFFF)
        words[:, media.W_SSRC] |= media.DOWN_SSRC
        words[:, media.W_KIND] = media.REFLECTION_KIND | media.KERNEL_T2
        words[:, media.W_REFLECTED], words[:, media.W_RECEIVED] = number, number + 1
        media.write_time(words, media.W_T2, arrived)
        words[:, media.W_T3], words[:, media.W_T3 + 1] = left >> 32, left & 0xFFFF_FFFF
        words[:, media.W_CHECK] = media.word_sums(words)
        wire[:count] = words
        out.head["namelen"][:count] = into.head["namelen"][:count]
        libc.sendmmsg(fd, out.at, count, 0)
        done += count
    return done


def main(seconds: float, fd: int, streams: int, packets: int, ssrc_base: int) -> None:
    with socket.socket(fileno=os.dup(fd)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    cpu = time.thread_time_ns()
    done = reflect(seconds, fd, streams, packets, ssrc_base)
    print(json.dumps({"packets": done, "cpu_ns": time.thread_time_ns() - cpu}))


if __name__ == "__main__":
    main(float(sys.argv[1]), *(int(number) for number in sys.argv[2:6]))
