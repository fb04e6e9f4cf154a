"""The session sender's packet loop: nothing in it waits for anything but the schedule and the socket."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from probe.methods.batch import FOREVER
from probe.methods.media_client import MediaClient
from probe.metrics import T_MAX_NS
from probe.net.clock import Alarm, monotonic_ns
from probe.net.job import SENDING, WAITING
from probe.net.quality import LoopWatch
from probe.net.udp import SAMPLED, UdpSocket

TICK_NS = ((0, 330_000), (150_000, 500_000), (400_000, 1_000_000))
"""Beyond so many packets a second the loop comes round so often at most: packets due meanwhile leave together. That
keeps a thousand calls within a fraction of a millisecond of their schedule for a third of the processor time."""
HEED_NS, IDLE_HEED_NS = 1_000_000, 4_000_000
"""Arrivals that the kernel stamps can lie so long before anybody looks, where requests for repairs depend on
them, or not."""
HEED_PACKETS = 128
"""But not more than so many: they and as many transmit stamps have room in a socket of an ordinary user."""
STAMPS = 128
"""So many transmit stamps are read at a time where only some packets are stamped: they may wait, for nobody is woken by
them."""
IDLE_NS = 50_000_000
"""How long at most until the parent's word is looked at."""
TAIL_MARGIN_NS = 50_000_000


class MediaLoop:
    """Runs `client` on `sock` until all is sent and back, or given up, or `progress` says to stop.

    `kernel_stamped`: what is received on `sock` is known to have the kernel's times.
    """

    def __init__(
        self,
        client: MediaClient,
        sock: UdpSocket,
        progress: NDArray[np.void],
        *,
        one_way: bool,
        nack: bool,
        rate_pps: float,
        kernel_stamped: bool = False,
        spin_ns: int = 0,
    ) -> None:
        self.watch = LoopWatch(sock.wall)
        self._client, self._sock, self._progress = client, sock, progress
        self._one_way, self._nack = one_way, nack
        self._alarm = Alarm(sock.fileno(), spin_ns=spin_ns)
        self._kernel_stamped = kernel_stamped
        self._tick_ns = max(tick_ns for beyond_pps, tick_ns in TICK_NS if rate_pps > beyond_pps)
        longest_ns = HEED_NS if nack else IDLE_HEED_NS
        self._heed_ns = min(max(int(HEED_PACKETS / rate_pps * 1e9), HEED_NS), longest_ns)
        self._stamps = 1 if nack or sock.stamped_every != SAMPLED else STAMPS
        self._give_up_ns = FOREVER
        self._looked_ns = 0
        self._listened = False

    def run(self) -> None:
        progress, client = self._progress, self._client
        progress["start_ns"], progress["phase"] = client.start_ns, SENDING
        next_ns = client.next_time_ns()
        while not progress["stop"][0]:
            now_ns = monotonic_ns()
            if next_ns <= now_ns:
                self._send(now_ns)
            if self._must_look(now_ns, next_ns):
                self._looked_ns = now_ns
                self._receive(1 if next_ns == FOREVER else self._stamps)
            next_ns = client.next_time_ns()  # which also prepares what leaves then
            if self._is_over(now_ns):
                break
            self._rest(now_ns, next_ns)
        progress["end_ns"] = monotonic_ns()

    def _send(self, now_ns: int) -> None:
        """Everything that is due."""
        client, sock = self._client, self._sock
        while client.next_time_ns() <= now_ns:
            batch = client.packets_to_send(monotonic_ns(), now_ns)
            if not sock.stamped_every:
                client.on_leaving(monotonic_ns())
            sock.send(batch)
            if sock.failed and batch.tag is not None:
                client.on_refused(batch.tag[sock.failed])
        self._progress["sent"] = client.sent

    def _must_look(self, now_ns: int, next_ns: int) -> bool:
        """Whether arrivals are to be taken in this round: many at a time cost a fraction of few."""
        if not self._kernel_stamped:
            return not self._listened
        return next_ns == FOREVER or now_ns - self._looked_ns >= self._heed_ns

    def _receive(self, stamps: int) -> None:
        """Everything that has arrived, and when what was sent left if there are so many `stamps`."""
        sock = self._sock
        if sock.unstamped >= stamps and (told := sock.transmitted()):
            self._client.on_transmitted(*told)
        while True:
            batch = sock.receive()
            count = len(batch.size)
            if count:
                self._kernel_stamped = batch.kernel_stamped
                self._client.receive(batch)
                self._progress["received"] += count
            if count < sock.slots:
                return

    def _is_over(self, now_ns: int) -> bool:
        if not self._client.all_sent:
            return False
        if self._give_up_ns == FOREVER:
            self._give_up_ns = now_ns + T_MAX_NS + TAIL_MARGIN_NS
            self._progress["phase"] = WAITING
        return now_ns >= self._give_up_ns or (not self._one_way and not self._client.outstanding)

    def _rest(self, since_ns: int, next_ns: int) -> None:
        """Wait for the next packet that is due, or for arrivals if they have to be seen at once."""
        now_ns = monotonic_ns()
        self.watch.worked(since_ns, now_ns)
        wake_ns = min(max(next_ns, since_ns + self._tick_ns), now_ns + IDLE_NS, self._give_up_ns)
        listen = not self._kernel_stamped or (self._nack and wake_ns - now_ns > HEED_NS) or next_ns == FOREVER
        self._listened = listen and now_ns < wake_ns
        if wake_ns <= now_ns:
            return
        readable = self._alarm.wait(wake_ns, listen=listen, exact=wake_ns <= next_ns)
        woken_ns = monotonic_ns()
        if readable and not self._kernel_stamped:  # before all else: when we take it is when it has arrived
            self._receive(1)
        self.watch.woke(wake_ns, woken_ns)
        if readable and not self._sock.unstamped and (told := self._sock.transmitted()):
            self._client.on_transmitted(*told)  # a late stamp would go on waking us
