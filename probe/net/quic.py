"""The control connection to a node, on asyncio.

It has a connected socket of its own, which never passes our own impairment, so that a dead node and a
dead path under test are told apart.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from probe.errors import NotMeasured, ProbeError, Unreachable
from probe.methods.control_client import Answer, ControlClient, LogPage, Report, Welcome
from probe.methods.negotiation import Grant, Json, OpenRequest
from probe.methods.quic_client import NodeIdentity
from probe.net.address import Address, family_of
from probe.net.certificate import authorities
from probe.net.udp import enlarge_buffers

PING_S = 2.0
DEAD_S = 6.0
"""Without a word for so long the node is gone; a killed one on a host that lives is noticed at once."""
REQUEST_S = 30.0
_RECEIVE_BYTES = 2048
_RECEIVE_AT_ONCE = 64
_PROGRESS_S = 0.0005

Asked = TypeVar("Asked", Welcome, Grant, LogPage, Report)


@asynccontextmanager
async def connect_control(
    address: Address,
    *,
    key: bytes,
    fingerprint: str | None = None,
    cafile: str | None = None,
    server_name: str = "",
    timeout: float = 10.0,  # noqa: ASYNC109 (told in the error)
) -> AsyncIterator[ControlConnection]:
    """Connect to the node at a numeric `address` and show it our `key`.

    The node is recognised by its pinned `fingerprint` ("sha256:hex"), else by a certificate for
    `server_name` from `cafile` or the system's authorities.

    Raises Unreachable (no answer), AuthenticationFailed (wrong key), FingerprintMismatch (wrong node), or
    NotMeasured (no probe node, refused).
    """
    identity = NodeIdentity(server_name or address[0], fingerprint, authorities(cafile))
    control = ControlConnection(address, identity, key)
    try:
        await control.start(timeout)
        yield control
    finally:
        control.stop()


class ControlConnection:
    """An authenticated control channel; made by `connect_control`.

    Every request raises Unreachable when the node is gone, and NotMeasured when it refuses.
    """

    def __init__(self, address: Address, identity: NodeIdentity, key: bytes) -> None:
        self.lost = asyncio.Event()
        """Set when the connection has died; `reason` says why."""
        self.reason: ProbeError | None = None
        self.limits: Json = {}
        """What the node would grant at most."""
        self._address, self._identity = address, identity
        self._where = f"{identity.server_name} ({address[0]} port {address[1]}, UDP)"
        self._client = ControlClient(identity, key, address)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[Answer]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._sock = socket.socket(family_of(address[0]), socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        enlarge_buffers(self._sock)

    # requests

    async def open(self, request: OpenRequest) -> Grant:
        """Open a session; what is granted is nowhere larger than `request`."""
        return await self._ask(lambda: self._client.open(request), Grant)

    async def log(self, session: int, after: int) -> tuple[NDArray[np.void], int]:
        """A page of the receive log (wire.log.LOG) from row `after` on, and where the next one starts."""
        page = await self._ask(lambda: self._client.log(session, after), LogPage)
        return page.rows, page.next

    async def close(self, session: int) -> Json:
        """Close a session; returns the node's counters."""
        return (await self._ask(lambda: self._client.close(session), Report)).counters

    async def _ask(self, ask: Callable[[], None], kind: type[Asked]) -> Asked:
        if self.reason is not None:
            raise self.reason
        answer = self._expect()
        ask()
        self._flush()
        return await self._answer(answer, kind, REQUEST_S)

    def _expect(self) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting.append(future)
        return future

    async def _answer(self, future: asyncio.Future[Answer], kind: type[Asked], seconds: float) -> Asked:
        try:
            answer = await asyncio.wait_for(future, seconds)
        except TimeoutError:
            raise Unreachable(
                f"{self._where} does not answer within {seconds:g} s",
                hint="check host and port, that `probe node` runs there, and that firewalls pass UDP",
            ) from None
        if isinstance(answer, ProbeError):
            raise answer
        if not isinstance(answer, kind):
            raise NotMeasured(f"{self._where} answered another question than was asked")
        return answer

    # life

    async def start(self, seconds: float) -> None:
        """Handshake and key, within `seconds`."""
        try:
            self._sock.connect(self._address)
        except OSError as error:
            raise Unreachable(f"no way to {self._where}: {error.strerror}") from None
        self._loop.add_reader(self._sock.fileno(), self._on_readable)
        welcome = self._expect()
        self._client.connect(self._loop.time())
        self._flush()
        self.limits = (await self._answer(welcome, Welcome, seconds)).limits
        self._watch = self._loop.create_task(self._keep_alive())

    def stop(self) -> None:
        """End the connection; the node closes its sessions."""
        if self._sock.fileno() < 0:
            return
        if self._watch is not None:
            self._watch.cancel()
        self._client.end()
        self._flush()
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self._fail(Unreachable(f"the connection to {self._where} was closed"))

    async def _keep_alive(self) -> None:
        """Notice that the node is gone, wherever its packets get lost."""
        beat = 0
        while not self.lost.is_set():
            slept_at = self._loop.time()
            await asyncio.sleep(PING_S / 2)
            now = self._loop.time()
            if now - slept_at > PING_S:
                self._client.heard_at = now  # we were not there ourselves: a suspended host hears nothing
            if now - self._client.heard_at > DEAD_S:
                self._fail(Unreachable(f"{self._where} has stopped answering"))
                return
            beat += 1
            if beat % 2:
                self._client.ping()
                self._flush()

    def _fail(self, reason: ProbeError) -> None:
        if self.reason is not None:
            return
        self.reason = reason
        self.lost.set()
        for future in self._waiting:
            if not future.done():
                future.set_result(reason)
        self._waiting.clear()

    # carrying

    def _on_readable(self) -> None:
        try:
            for _ in range(_RECEIVE_AT_ONCE):
                data = self._sock.recv(_RECEIVE_BYTES)
                self._client.receive_datagram(data, self._address, self._loop.time())
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self._refused(error)
        except ProbeError as error:
            self._fail(error)
        self._go_on()

    def _refused(self, error: OSError) -> None:
        """ICMP says that the port or host cannot be reached."""
        self._fail(
            Unreachable(
                f"{self._where} refuses: {error.strerror}",
                hint="check host and port, and that `probe node` runs there",
            )
        )

    def _on_timer(self) -> None:
        self._timer = None
        try:
            self._client.handle_timer(self._loop.time())
        except ProbeError as error:
            self._fail(error)
        self._go_on()

    def _go_on(self) -> None:
        """After anything came in: hand out answers, send, and see whether the connection still lives."""
        while (answer := self._client.next_answer()) is not None:
            if self._waiting and not (future := self._waiting.popleft()).done():
                future.set_result(answer)
        self._flush()
        if reason := self._client.closed:
            self._fail(reason)

    def _flush(self) -> None:
        if self._sock.fileno() < 0:
            return
        now = self._loop.time()
        for data, _ in self._client.datagrams_to_send(now):
            try:
                self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                break  # QUIC sends it again
            except OSError as error:
                self._refused(error)
                break
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        timer = self._client.get_timer()
        if timer is not None and self.reason is None:
            self._timer = self._loop.call_at(max(timer, now + _PROGRESS_S), self._on_timer)
