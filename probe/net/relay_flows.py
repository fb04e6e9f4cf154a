"""The relay's flows: each client address gets an upstream socket of its own, as a NAT does."""

from __future__ import annotations

import selectors
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.errors import NotMeasured
from probe.methods.batch import ADDRESS_BYTES, all_from
from probe.net.address import Address
from probe.net.udp import UdpSocket, open_udp

IDLE_NS = 120_000_000_000
"""RFC 4787 REQ-5: a NAT keeps a UDP mapping for two minutes at least."""

MAX_FLOWS = 512

_ADDRESS = np.dtype(("V", ADDRESS_BYTES))


@dataclass(slots=True)
class Flow:
    """One client and the socket that speaks to the target for it."""

    number: int
    address: NDArray[np.uint8]
    upstream: UdpSocket
    last_ns: int


def groups(numbers: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.bool_] | slice]]:
    """Each flow number among `numbers`, and which rows are its; a slice: all."""
    if numbers.tobytes() == numbers[:1].tobytes() * len(numbers):
        yield int(numbers[0]), slice(None)
        return
    for number in np.unique(numbers).tolist():
        yield number, numbers == number


class Flows:
    """All flows; sockets are watched by `selector`, with the flow as data."""

    def __init__(
        self, target: Address, selector: selectors.BaseSelector, *, idle_ns: int, plain: bool
    ) -> None:
        self._target, self._selector, self._idle_ns, self._plain = target, selector, idle_ns, plain
        self._by_address: dict[bytes, Flow] = {}
        self._by_number: dict[int, Flow] = {}
        self._opened = 0
        self._closed_dropped = self._closed_refused = 0
        self._last: Flow | None = None
        self.expired = 0

    def __len__(self) -> int:
        return len(self._by_number)

    def get(self, number: int) -> Flow | None:
        """The flow of this number, if it is still there."""
        return self._by_number.get(number)

    def numbers_of(self, address: NDArray[np.uint8], now_ns: int) -> NDArray[np.int64]:
        """(n,) the flow of each of n client addresses, made where it is new; -1 where none can be made."""
        if self._last is not None and all_from(address, self._last.address.tobytes()):
            self._last.last_ns = now_ns
            return np.full(len(address), self._last.number, np.int64)
        keys = np.ascontiguousarray(address).view(_ADDRESS).reshape(-1)
        different, which = np.unique(keys, return_inverse=True)
        numbers = np.array([self._number_of(bytes(key), now_ns) for key in different], np.int64)
        return numbers[which]

    def _number_of(self, key: bytes, now_ns: int) -> int:
        flow = self._by_address.get(key) or self._open(key, now_ns)
        if flow is None:
            return -1
        flow.last_ns, self._last = now_ns, flow
        return flow.number

    def _open(self, key: bytes, now_ns: int) -> Flow | None:
        if len(self) >= MAX_FLOWS:
            self._close(min(self._by_number.values(), key=lambda flow: flow.last_ns))
        try:
            upstream = open_udp(peer=self._target, plain=self._plain)
        except (NotMeasured, OSError):  # out of descriptors, or no route to the target
            return None
        flow = Flow(self._opened, np.frombuffer(key, np.uint8), upstream, now_ns)
        self._opened += 1
        self._by_address[key] = self._by_number[flow.number] = flow
        self._selector.register(upstream.fileno(), selectors.EVENT_READ, flow)
        return flow

    def _close(self, flow: Flow) -> None:
        self._selector.unregister(flow.upstream.fileno())
        self._closed_dropped += flow.upstream.dropped()
        self._closed_refused += flow.upstream.refused
        flow.upstream.close()
        del self._by_address[flow.address.tobytes()], self._by_number[flow.number]
        self._last = None
        self.expired += 1

    def expire(self, now_ns: int) -> None:
        """Close the flows in which nothing has moved for long."""
        for flow in list(self._by_number.values()):
            if now_ns - flow.last_ns > self._idle_ns:
                self._close(flow)

    @property
    def dropped(self) -> int:
        """Datagrams that the upstream sockets' buffers dropped, ever."""
        return self._closed_dropped + sum(flow.upstream.dropped() for flow in self._by_number.values())

    @property
    def refused(self) -> int:
        """How often ICMP said that nobody listens at the target, ever."""
        return self._closed_refused + sum(flow.upstream.refused for flow in self._by_number.values())
