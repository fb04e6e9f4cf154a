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


class Batch(NamedTuple):
    """n datagrams; row i of every field belongs to datagram i."""

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

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Batch:
        """The chosen datagrams, as a copy."""
        return Batch(
            self.data[rows], self.size[rows], self.time_ns[rows], self.address[rows], self.kernel_stamped
        )


def empty_batch(width: int = 0) -> Batch:
    """No datagrams."""
    return Batch(
        np.zeros((0, width), np.uint8),
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
        np.zeros((0, ADDRESS_BYTES), np.uint8),
    )


def join(batches: list[Batch]) -> Batch:
    """All datagrams of `batches`, by time; ties keep their order."""
    batches = [batch for batch in batches if len(batch.size)]
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return empty_batch()
    width = max(batch.data.shape[1] for batch in batches)
    data = np.zeros((sum(len(batch.size) for batch in batches), width), np.uint8)
    row = 0
    for batch in batches:
        data[row : row + len(batch.size), : batch.data.shape[1]] = batch.data
        row += len(batch.size)
    joined = Batch(
        data,
        np.concatenate([batch.size for batch in batches]),
        np.concatenate([batch.time_ns for batch in batches]),
        np.concatenate([batch.address for batch in batches]),
    )
    if (joined.time_ns[1:] < joined.time_ns[:-1]).any():
        return joined.take(np.argsort(joined.time_ns, kind="stable"))
    return joined


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
