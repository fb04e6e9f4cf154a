"""The client's side of binding a media 5-tuple to a session (wire/bind.py), as five verbs."""

from __future__ import annotations

from probe.errors import ProtocolError
from probe.wire.bind import BindMessage, Step, parse_bind

FIRST_RETRY = 0.1
BACKOFF = 1.25
MAX_RETRY = 0.4
"""Seconds. Some fifteen tries in five seconds: a burst of losses, which netem counts in packets and not in
time, must outlast them all to keep a session from being bound."""

Address = tuple[str, int]


class Bind:
    """Asks until it is answered; `bound_at` is when (seconds), None before.

    `token` and `nonce` are random bytes handed in; `peer` is where the datagrams go.
    """

    def __init__(self, token: bytes, nonce: bytes, ssrc: int, peer: Address) -> None:
        self.bound_at: float | None = None
        self._message = BindMessage(Step.BIND, ssrc, nonce, token)
        self._peer = peer
        self._send_at: float | None = 0.0
        self._retry = FIRST_RETRY

    def receive_datagram(self, data: bytes, addr: Address, now: float) -> None:
        try:
            message = parse_bind(data)
        except ProtocolError:
            return
        if message.nonce != self._message.nonce or self.bound_at is not None:
            return
        if message.step == Step.CHALLENGE and self._message.step == Step.BIND:
            mine = self._message
            self._message = BindMessage(Step.CONFIRM, mine.ssrc, mine.nonce, mine.token, message.cookie)
            self._send_at, self._retry = now, FIRST_RETRY
        elif message.step == Step.BOUND:
            self.bound_at, self._send_at = now, None

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Address]]:
        if self._send_at is None or now < self._send_at:
            return []
        self._send_at = now + self._retry
        self._retry = min(self._retry * BACKOFF, MAX_RETRY)
        return [(self._message.encode(), self._peer)]

    def get_timer(self) -> float | None:
        return self._send_at

    def handle_timer(self, now: float) -> None:
        """Nothing but time decides what `datagrams_to_send` gives next."""
