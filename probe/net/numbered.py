"""Numbered packets from one socket to another on a schedule: which came, when, and how damaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.errors import NotMeasured
from probe.methods.batch import ADDRESS_BYTES, Batch, no_address
from probe.metrics import Times
from probe.net.clock import Waiter, monotonic_ns
from probe.net.udp import UdpSocket

COPIES = 3
"""Times that a packet's number stands in it, so that one flipped bit does not change it."""
_LEAD_NS = 20_000_000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`sent_ns` of each of n packets; of the m that arrived, in that order, number, time and flipped bits."""

    sent_ns: Times
    sequence: NDArray[np.int64]
    arrived_ns: Times
    flips: NDArray[np.int64]


def exchange(
    sender: UdpSocket, receiver: UdpSocket, due_ns: Times, size: int, tail_ns: int, to: bytes | None = None
) -> Arrivals:
    """Send packets of `size` bytes at `due_ns` after now, and listen until `tail_ns` after the last one.

    `to` is the packed address of the peer of a socket that has no single one. Raises NotMeasured when the system
    does not take packets.
    """
    packets = len(due_ns)
    payload = _payload(np.arange(packets), size)
    address = no_address(packets) if to is None else np.tile(np.frombuffer(to, np.uint8), (packets, 1))
    sizes, sent_ns = np.full(packets, size, np.int64), np.zeros(packets, np.int64)
    due_ns = due_ns + monotonic_ns() + _LEAD_NS
    end_ns = int(due_ns[-1]) + tail_ns
    heard: list[tuple[NDArray[np.int64], Times, NDArray[np.int64]]] = []
    waiter, row = Waiter(receiver.fileno()), 0
    while True:
        now_ns = monotonic_ns()
        until = int(np.searchsorted(due_ns, now_ns, "right"))
        if until > row:
            part = slice(row, until)
            taken = sender.send(Batch(payload[part], sizes[part], due_ns[part], address[part]))
            if taken < until - row:
                raise NotMeasured("the system does not take packets on loopback")
            sent_ns[part] = (now_ns + monotonic_ns()) // 2
            row = until
        batch = receiver.receive()
        if len(batch.size):
            heard.append(_read(batch, size))
        elif now_ns >= end_ns:
            break
        else:
            waiter.wait(int(due_ns[row]) if row < packets else end_ns)
    parts = zip(*heard, strict=True) if heard else iter([[np.zeros(0, np.int64)]] * 3)
    sequence, arrived_ns, flips = (np.concatenate(list(part)) for part in parts)
    return Arrivals(sent_ns, sequence, arrived_ns, flips)


def hello(sender: UdpSocket, receiver: UdpSocket, seconds: float) -> bytes:
    """The packed address under which `receiver` sees `sender`; NotMeasured when nothing comes."""
    data = np.zeros((1, COPIES * 4), np.uint8)
    word = Batch(data, np.full(1, COPIES * 4, np.int64), np.zeros(1, np.int64), no_address(1))
    waiter, until_ns = Waiter(receiver.fileno()), monotonic_ns() + int(seconds * 1e9)
    while monotonic_ns() < until_ns:
        sender.send(word)
        waiter.wait(min(until_ns, monotonic_ns() + 100_000_000))
        batch = receiver.receive()
        if len(batch.size):
            assert batch.address.shape[1] == ADDRESS_BYTES
            return bytes(batch.address[0])
    raise NotMeasured("nothing comes through our own relay on loopback", hint="is a firewall in the way?")


def _payload(numbers: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    payload = np.zeros((len(numbers), size), np.uint8)
    heads = np.repeat(numbers.astype("<u4")[:, None], COPIES, 1)
    payload[:, : 4 * COPIES] = heads.view(np.uint8).reshape(len(numbers), 4 * COPIES)
    return payload


def _read(batch: Batch, size: int) -> tuple[NDArray[np.int64], Times, NDArray[np.int64]]:
    whole = np.zeros((len(batch.size), size), np.uint8)
    width = min(size, batch.data.shape[1])
    whole[:, :width] = batch.data[:, :width]
    first, second, third = whole[:, : 4 * COPIES].copy().view("<u4").T
    numbers = ((first & second) | (second & third) | (first & third)).astype(np.int64)
    flips = np.unpackbits(whole ^ _payload(numbers, size), axis=1).sum(1).astype(np.int64)
    return numbers, batch.time_ns.copy(), flips
