"""netem's queue as the kernel runs it, an event at a time, given what was drawn for each packet.

Written from the description of the algorithm (enqueue and dequeue, one clock), as an oracle for the
formulas of the line and the slots: packets are enqueued at their arrival, and leave when the head of the
queue may, which is tried at each enqueue and when the watchdog fires.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

FAR = 2**62


@dataclass
class Packet:
    number: int
    arrival: int
    delay: int
    length: int
    jumps: bool = False
    due: int = 0
    left: int | None = None


@dataclass
class Netem:
    """`rate_bps` None: none; `slot` draws the next slot's distance; 0 packets or bytes: no bound."""

    rate_bps: int | None = None
    limit: int = FAR
    slot: Callable[[], int] | None = None
    slot_packets: int = 0
    slot_bytes: int = 0
    queue: list[Packet] = field(default_factory=list)
    front: deque[Packet] = field(default_factory=deque)
    slot_next: int = -1
    packets_left: int = 0
    bytes_left: int = 0

    def run(self, packets: list[Packet]) -> None:
        """Set when each packet left; those never enqueued keep None."""
        self.packets_left, self.bytes_left = self.slot_packets or FAR, self.slot_bytes or FAR
        for packet in packets:
            self._until(packet.arrival)
            self._enqueue(packet)
            self._dequeue(packet.arrival)
        self._until(FAR)

    def _until(self, now: int) -> None:
        while self.queue and (wake := max(self.queue[0].due, self.slot_next if self.slot else 0)) < now:
            self._dequeue(wake)

    def _enqueue(self, packet: Packet) -> None:
        now = packet.arrival
        if len(self.queue) + len(self.front) >= self.limit:
            return
        if packet.jumps:
            packet.due = now
            self.front.append(packet)
            return
        delay = packet.delay
        if self.rate_bps is not None:
            if self.queue:
                last = max(waiting.due for waiting in self.queue)
                delay, now = max(0, delay - (last - now)), last
            delay += packet.length * 8_000_000_000 // self.rate_bps
        packet.due = now + delay
        at = len(self.queue)
        while at and self.queue[at - 1].due > packet.due:
            at -= 1
        self.queue.insert(at, packet)

    def _draw(self, now: int) -> None:
        assert self.slot is not None
        self.slot_next = now + self.slot()
        self.packets_left, self.bytes_left = self.slot_packets or FAR, self.slot_bytes or FAR

    def _dequeue(self, now: int) -> None:
        while self.front:
            self.front.popleft().left = now
        while self.queue:
            head = self.queue[0]
            if self.slot is not None and self.slot_next < head.due:
                self._draw(now)
            if head.due > now or (self.slot is not None and self.slot_next > now):
                return
            self.queue.pop(0).left = now
            if self.slot is not None:
                self.packets_left -= 1
                self.bytes_left -= head.length
                if self.packets_left <= 0 or self.bytes_left <= 0:
                    self._draw(now)
