"""Carriers in virtual time: the same methods as over sockets, on an emulated path, as fast as they compute.

`BatchCarrier` moves arrays between two batch endpoints, a whole look-ahead window at once;
`DatagramCarrier` moves single datagrams between two endpoints with aioquic's verbs.  Both always
advance by 1 us at least: a machine that asks for the same instant again and again (aioquic arms its
loss timer one rounding error before it accepts it) would otherwise stop virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import ceil, isinf
from typing import Any, Protocol

import numpy as np

from probe.impairment.chain import Chain, Path
from probe.methods.batch import FOREVER, Batch, BatchEndpoint, join

PROGRESS_NS = 1000


class _Inbox:
    """Datagrams on their way to one endpoint."""

    def __init__(self) -> None:
        self._waiting: list[Batch] = []  # each in order of arrival
        self.next_ns = FOREVER

    def put(self, batch: Batch) -> None:
        batch = batch.in_order()
        self._waiting.append(batch)
        self.next_ns = min(self.next_ns, int(batch.time_ns[0]))

    def take(self, until_ns: int) -> Batch:
        """Everything that arrives up to `until_ns`, in order of arrival."""
        arrived, rest = [], []
        self.next_ns = FOREVER
        for batch in self._waiting:
            first_ns = int(batch.time_ns[0])
            if first_ns > until_ns:
                rest.append(batch)
            elif batch.time_ns[-1] <= until_ns:
                arrived.append(batch)
                continue
            else:
                end = int(batch.time_ns.searchsorted(until_ns, "right"))
                arrived.append(batch.take(slice(end)))
                rest.append(batch.take(slice(end, None)))
                first_ns = int(batch.time_ns[end])
            self.next_ns = min(self.next_ns, first_ns)
        self._waiting = rest
        return join(arrived)


class _BatchSide:
    """One endpoint, what is on its way to it, and how far it has been run."""

    def __init__(self, endpoint: BatchEndpoint, start_ns: int) -> None:
        self.endpoint = endpoint
        self.inbox = _Inbox()
        self.reached_ns = start_ns - 1

    def next_ns(self) -> int:
        """When it next sends of its own accord or hears something."""
        timer = self.endpoint.next_time_ns()
        if timer <= self.reached_ns:
            timer = self.reached_ns + PROGRESS_NS
        return min(timer, self.inbox.next_ns)

    def run(self, until_ns: int, outward: Chain, peer: _BatchSide) -> None:
        """Bring the endpoint to `until_ns`; what it sends goes through `outward` to `peer`."""
        if self.inbox.next_ns <= until_ns:
            self.endpoint.receive(self.inbox.take(until_ns))
        self.send(until_ns, outward, peer)
        self.reached_ns = max(self.reached_ns, until_ns)

    def hear(self, until_ns: int) -> None:
        """Take in what arrives up to `until_ns`, and send nothing."""
        if self.inbox.next_ns <= until_ns:
            self.endpoint.receive(self.inbox.take(until_ns))
        self.reached_ns = max(self.reached_ns, until_ns)

    def send(self, until_ns: int, outward: Chain, peer: _BatchSide) -> None:
        """Send what is due up to `until_ns` through `outward` to `peer`."""
        sent = self._packets(until_ns).in_order()
        if not len(sent.size):
            return
        arriving = outward.push(sent.time_ns, sent.size).carry(sent)
        if len(arriving.size):
            # Only a path without delay can deliver into the peer's past, by up to PROGRESS_NS.
            time_ns = np.maximum(arriving.time_ns, peer.reached_ns + 1)
            peer.inbox.put(arriving._replace(time_ns=time_ns))

    def _packets(self, until_ns: int) -> Batch:
        """All that is due in the window, however much the endpoint hands out at a time."""
        batches = [self.endpoint.packets_to_send(self.reached_ns, until_ns)]
        while len(batches[-1].size) and self.endpoint.next_time_ns() <= until_ns:
            batches.append(self.endpoint.packets_to_send(self.reached_ns, until_ns))
        return join(batches)


class BatchCarrier:
    """Runs two batch endpoints over a path in virtual time.

    An endpoint is brought forward to just before the earliest moment at which anything not yet known
    could reach it; within that window order between the two ends cannot matter. The window is at least
    the path's shortest delay, and on an ordered path at least what is under way already.
    """

    def __init__(self, client: BatchEndpoint, node: BatchEndpoint, path: Path, *, start_ns: int = 0) -> None:
        self._client = _BatchSide(client, start_ns)
        self._node = _BatchSide(node, start_ns)
        self._path = path
        self.now_ns = start_ns
        """Virtual time."""

    def run(self, until_ns: int) -> None:
        """Run up to and including `until_ns`; ends sooner only in effect, when nothing is left to happen."""
        client, node, up, down = self._client, self._node, self._path.up, self._path.down
        while True:
            client_next, node_next = client.next_ns(), node.next_ns()
            present = min(client_next, node_next)
            if present > until_ns:
                break
            self.now_ns = max(self.now_ns, present)
            reaches_client = down.earliest_release(min(node_next, up.earliest_release(client_next)))
            reaches_node = up.earliest_release(min(client_next, down.earliest_release(node_next)))
            soonest = present + PROGRESS_NS
            client_end = min(until_ns, max(soonest, reaches_client - 1))
            if client_next <= client_end:
                client.run(client_end, up, node)
            node_end = min(until_ns, max(soonest, reaches_node - 1))
            if node.next_ns() <= node_end:
                node.run(node_end, down, client)
        self.now_ns = until_ns

    def run_apart(self, until_ns: int) -> bool:
        """Run up to `until_ns` as if the client took no notice of what it hears before, a hundred times quicker.

        Returns whether that was so as far as a carrier can tell: no packet was dropped, and nobody wants to send
        anything now that should have been sent by then. If not, the exchange has to be run again from its start.
        """
        client, node, up, down = self._client, self._node, self._path.up, self._path.down
        before = _dropped(up) + _dropped(down)
        client.send(until_ns, up, node)
        node.run(until_ns, down, client)
        client.hear(until_ns)
        self.now_ns = until_ns
        awake = min(int(side.endpoint.next_time_ns()) for side in (client, node))
        return awake > until_ns and _dropped(up) + _dropped(down) == before


def _dropped(chain: Chain) -> int:
    counters = chain.counters
    return counters.lost + counters.overflowed


class DatagramEndpoint(Protocol):
    """aioquic's verbs, `now` in seconds; `QuicConnection` has them."""

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None: ...

    def datagrams_to_send(self, now: float) -> Sequence[tuple[bytes, Any]]: ...

    def get_timer(self) -> float | None: ...

    def handle_timer(self, now: float) -> None: ...


@dataclass(eq=False)
class _DatagramSide:
    endpoint: DatagramEndpoint
    address: Any  # where its datagrams seem to come from
    outward: Chain
    awake: bool  # a passive endpoint is not asked for datagrams before its first one came
    handled_ns: int = -1  # when its timer was last served
    peer: _DatagramSide = field(init=False, repr=False)

    def timer_ns(self, now_ns: int) -> int:
        """When to serve its timer."""
        timer = self.endpoint.get_timer() if self.awake else None
        if timer is None or isinf(timer):
            return FOREVER
        due = max(now_ns, ceil(timer * 1e9))
        return due if due > self.handled_ns else self.handled_ns + PROGRESS_NS


class DatagramCarrier:
    """Runs two datagram endpoints over a path in virtual time; the client speaks first."""

    def __init__(
        self,
        client: DatagramEndpoint,
        server: DatagramEndpoint,
        path: Path,
        *,
        start_ns: int = 0,
        client_address: Any = ("192.0.2.1", 50000),
        server_address: Any = ("192.0.2.2", 40000),
    ) -> None:
        self._client = _DatagramSide(client, client_address, path.up, awake=True)
        self._server = _DatagramSide(server, server_address, path.down, awake=False)
        self._client.peer, self._server.peer = self._server, self._client
        self._under_way: list[tuple[int, int, _DatagramSide, bytes]] = []
        self._order = count()
        self.now_ns = start_ns
        """Virtual time."""

    @property
    def now(self) -> float:
        """Virtual time in seconds, as the endpoints know it."""
        return self.now_ns / 1e9

    def run(self, until_ns: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Run until `done()`, asked after each step, or up to and including `until_ns`.

        `done` is also the place where a caller reads events and lets an endpoint send. Returns whether
        it said so.
        """
        while not done():
            self._send(self._client)
            self._send(self._server)
            arrival = self._under_way[0][0] if self._under_way else FOREVER
            sides = (self._client, self._server)
            event = min(arrival, *(side.timer_ns(self.now_ns) for side in sides))
            if event > until_ns:
                self.now_ns = until_ns
                return False
            self.now_ns = max(self.now_ns, event)
            self._deliver()
            for side in sides:
                if side.timer_ns(self.now_ns) <= self.now_ns:
                    side.handled_ns = self.now_ns
                    side.endpoint.handle_timer(self.now)
        return True

    def _deliver(self) -> None:
        while self._under_way and self._under_way[0][0] <= self.now_ns:
            _, _, side, data = heappop(self._under_way)
            side.awake = True
            side.endpoint.receive_datagram(data, side.peer.address, self.now)

    def _send(self, side: _DatagramSide) -> None:
        datagrams = side.endpoint.datagrams_to_send(self.now) if side.awake else ()
        if not datagrams:
            return
        size = np.array([len(data) for data, _ in datagrams], np.int64)
        passage = side.outward.push(np.full(len(size), self.now_ns), size)
        damage = [-1] * len(passage.row) if passage.bit is None else passage.bit.tolist()
        for row, when, bit in zip(passage.row.tolist(), passage.release_ns.tolist(), damage, strict=True):
            data = datagrams[row][0]
            if bit >= 0:
                flipped = bytearray(data)
                flipped[bit >> 3] ^= 1 << (bit & 7)
                data = bytes(flipped)
            heappush(self._under_way, (when, next(self._order), side.peer, data))
