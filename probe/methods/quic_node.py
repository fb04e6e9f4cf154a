"""Everything of a node that speaks QUIC, as five verbs: control channel and test connections."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.methods.control_server import ControlServer
from probe.methods.quic_server import CONTROL_ALPN, Address, Datagrams, QuicServer
from probe.methods.roq_reflector import RoqReflector
from probe.metrics import Times


class QuicNode:
    """Hands each connection's events to `control` or `roq` by what it negotiated.

    `roq` is to be among the backends of `control` as well. Drive it as any endpoint: a verb, then
    `datagrams_to_send`, then `get_timer`.
    """

    def __init__(self, server: QuicServer, control: ControlServer, roq: RoqReflector) -> None:
        self.server, self.control, self.roq = server, control, roq

    def receive_datagram(
        self, data: bytes, addr: Address, now: float, *, kernel_stamped: bool = False
    ) -> None:
        self.server.receive_datagram(data, addr, now, kernel_stamped=kernel_stamped)
        self._dispatch(now)

    def datagrams_to_send(self, now: float) -> Datagrams:
        return self.server.datagrams_to_send(now)

    def on_leaving(self, now_ns: int) -> None:
        """Correct the leaving time of media just handed out: a carrier's last act before the send."""
        for peer, _ in self.server.just_pumped:
            self.roq.on_leaving(peer, now_ns)

    def tags(self, count: int) -> NDArray[np.int64]:
        """(count,) by what name to tell `on_transmitted` when each datagram just handed out really left; -1: by
        none."""
        tags = np.full(count, -1)
        for peer, start in self.server.just_pumped:
            self.roq.name(peer, tags[start:])
        return tags

    def on_transmitted(self, tags: NDArray[np.int64], time_ns: Times) -> None:
        """The kernel's word for when the datagrams of these `tags` left."""
        self.roq.on_transmitted(tags, time_ns)

    def get_timer(self) -> float | None:
        timers = [timer for timer in (self.server.get_timer(), self.control.get_timer()) if timer is not None]
        return min(timers, default=None)

    def handle_timer(self, now: float) -> None:
        self.server.handle_timer(now)
        self.control.handle_timer(now)
        self._dispatch(now)

    def close(self) -> None:
        """Close every session and tell every client; send what `datagrams_to_send` gives after this."""
        self.control.close()
        for peer in self.server.peers:
            peer.close(0, "the node stops")
            self.server.touch(peer)

    def _dispatch(self, now: float) -> None:
        while (item := self.server.next_event()) is not None:
            peer, event = item
            if peer.alpn == CONTROL_ALPN:
                self.control.handle(peer, event, now)
            else:
                self.roq.handle(peer, event, now)
        for peer in [*self.control.resume(now), *self.roq.touched]:
            self.server.touch(peer)
        self.roq.touched.clear()
