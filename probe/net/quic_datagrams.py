"""QUIC's datagrams, one at a time, from and to sockets that move batches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import ADDRESS_BYTES, ALONE, Batch, no_address
from probe.methods.quic_server import Datagrams
from probe.net.address import pack_address
from probe.net.clock import monotonic_ns
from probe.net.udp import UdpSocket

STALE_NS = 10_000_000_000
"""A stamp that is older belongs to a clock that somebody set, not to a process that stood still."""

_NO_TIME = np.zeros(1, np.int64)
_pack = lru_cache(4096)(pack_address)


class Arrival(NamedTuple):
    """A datagram that came from `address` (packed) at `at_ns`; `stamped`: it is the kernel that says so."""

    data: bytes
    address: NDArray[np.uint8]
    at_ns: int
    stamped: bool


def arrivals(sock: UdpSocket) -> Iterator[Arrival]:
    """What can be read at once. Nothing else may be read from `sock` meanwhile.

    QUIC's timers run by these times: a stamp that may be from before a step of the wall clock is not believed.
    """
    offset_ns = sock.wall.offset_ns
    batch, now_ns = sock.receive(), monotonic_ns()
    for row, at_ns in enumerate(batch.time_ns.tolist()):
        sane = sock.wall.offset_ns == offset_ns and abs(now_ns - at_ns) < STALE_NS
        data = batch.data[row, : batch.size[row]].tobytes()
        yield Arrival(
            data, batch.address[row], min(at_ns, now_ns) if sane else now_ns, sane and batch.kernel_stamped
        )


def as_batch(datagrams: Datagrams, tags: NDArray[np.int64] | None = None, *, connected: bool) -> Batch:
    """At least one datagram; for a `connected` socket their addresses do not matter."""
    count = len(datagrams)
    if count == ALONE:
        ((only, peer),) = datagrams
        address = no_address(1) if connected else np.frombuffer(_pack(peer), np.uint8)[None]
        return Batch(np.frombuffer(only, np.uint8)[None], np.array([len(only)]), _NO_TIME, address, tag=tags)
    size = np.array([len(data) for data, _ in datagrams], np.int64)
    width = int(size.max())
    data = np.frombuffer(b"".join(item.ljust(width, b"\0") for item, _ in datagrams), np.uint8)
    address = no_address(count)
    if not connected:
        packed = b"".join(_pack(peer) for _, peer in datagrams)
        address = np.frombuffer(packed, np.uint8).reshape(count, ADDRESS_BYTES)
    return Batch(data.reshape(count, width), size, np.zeros(count, np.int64), address, tag=tags)
