"""Datagrams as arrays, and the verbs of a state machine that works on them.

The media path never handles one packet at a time in Python: a carrier, real or virtual, moves a `Batch`
in and a `Batch` out. Times inside one batch may differ, so that a carrier in virtual time can move a
whole look-ahead window at once.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from probe.metrics import Times

FOREVER = int(np.iinfo(np.int64).max)
"""`next_time_ns` of a machine that waits for nothing but packets."""

ADDRESS_BYTES = 28  # sizeof(struct sockaddr_in6)

ALONE = 1
"""A batch of so many is handled as plain numbers by those who can: each operation on an array, however short,
costs as much as ten on numbers, and more after a sleep. (0: by nobody.)"""


class Batch(NamedTuple):
    """n datagrams; row i of every field belongs to datagram i.

    A carrier may hand in views of its receive buffers: what an endpoint keeps beyond its next
    `packets_to_send` it copies.
    """

    data: NDArray[np.uint8]
    """(n, width); bytes from `size[i]` on are zero."""
    size: NDArray[np.int64]
    """(n,) bytes in use."""
    time_ns: Times
    """(n,) when it arrived, or when it is to leave."""
    address: NDArray[np.uint8]
    """(n, 28) the peer, as an opaque packed sockaddr; all zero on a path with one peer."""
    kernel_stamped: bool = False
    """Whether `time_ns` of an arrived batch was stamped by the kernel."""
    tag: NDArray[np.int64] | None = None
    """(n,) by what name its sender wants to be told when it really left; -1, or no array: by none."""

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Batch:
        """The chosen datagrams; a copy unless `rows` is a slice."""
        tag = None if self.tag is None else self.tag[rows]
        return Batch(
            self.data[rows], self.size[rows], self.time_ns[rows], self.address[rows], self.kernel_stamped, tag
        )

    def in_order(self) -> Batch:
        """The same datagrams by time; ties keep their order."""
        if len(self.size) > 1 and (self.time_ns[1:] < self.time_ns[:-1]).any():
            return self.take(np.argsort(self.time_ns, kind="stable"))
        return self


def all_from(address: NDArray[np.uint8], peer: bytes | None) -> bool:
    """Whether all of one address and more are `peer`."""
    return peer is not None and address.tobytes() == peer * len(address)


def no_address(count: int) -> NDArray[np.uint8]:
    """(count, 28) zeros: the only peer there is. Not to be written to."""
    return _NOBODY[:count] if count <= len(_NOBODY) else np.zeros((count, ADDRESS_BYTES), np.uint8)


_NOBODY = np.zeros((1024, ADDRESS_BYTES), np.uint8)
_NOBODY.flags.writeable = False


def empty_batch(width: int = 0) -> Batch:
    """No datagrams."""
    if not width:
        return _EMPTY
    return Batch(np.zeros((0, width), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64), no_address(0))


_EMPTY = Batch(np.zeros((0, 0), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64), no_address(0))


def join(batches: list[Batch]) -> Batch:
    """All datagrams of `batches`, by time; ties keep their order."""
    if len(batches) == 1:
        return batches[0]
    batches = [batch for batch in batches if len(batch.size)]
    if len(batches) < 2:
        return batches[0] if batches else _EMPTY
    count = sum(len(batch.size) for batch in batches)
    data = np.zeros((count, max(batch.data.shape[1] for batch in batches)), np.uint8)
    tag = None if all(batch.tag is None for batch in batches) else np.full(count, -1)
    row = 0
    for batch in batches:
        end = row + len(batch.size)
        data[row:end, : batch.data.shape[1]] = batch.data
        if tag is not None and batch.tag is not None:
            tag[row:end] = batch.tag
        row = end
    return Batch(
        data,
        np.concatenate([batch.size for batch in batches]),
        np.concatenate([batch.time_ns for batch in batches]),
        np.concatenate([batch.address for batch in batches]),
        tag=tag,
    ).in_order()


class BatchEndpoint(Protocol):
    """A method of measurement that works on batches: no socket, no clock; time is handed in."""

    def receive(self, batch: Batch) -> None:
        """Take datagrams that arrived at `batch.time_ns`."""

    def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
        """Everything that is due up to and including `until_ns`, in the order of leaving.

        Over real sockets `until_ns` is `now_ns`; a carrier in virtual time asks for a window ahead.
        """

    def next_time_ns(self) -> int:
        """When `packets_to_send` next has something, or FOREVER."""
