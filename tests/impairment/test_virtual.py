"""Endpoints of both kinds on an emulated path in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent, StreamDataReceived
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from probe.impairment.chain import Path
from probe.impairment.profile import Impairment, Loss
from probe.impairment.virtual import BatchCarrier, DatagramCarrier
from probe.methods.batch import ADDRESS_BYTES, FOREVER, Batch, empty_batch
from probe.metrics import NEVER, Times
from tests.impairment.releases import release_of

MS = 1_000_000
SECOND = 1000 * MS


def numbered(numbers: Times, time_ns: Times) -> Batch:
    data = numbers.astype("<i8").view(np.uint8).reshape(-1, 8)
    return Batch(data, np.full(len(numbers), 8), time_ns, np.zeros((len(numbers), ADDRESS_BYTES), np.uint8))


def numbers_of(batch: Batch) -> Times:
    return np.ascontiguousarray(batch.data).view("<i8").reshape(-1).astype(np.int64)


class Pinger:
    """Sends numbered packets on a schedule and notes when each came back."""

    def __init__(self, due: Times) -> None:
        self.due = due
        self.sent = 0
        self.back = np.full(len(due), NEVER)
        self.until = -1

    def receive(self, batch: Batch) -> None:
        assert (np.diff(batch.time_ns) >= 0).all()
        self.back[numbers_of(batch)] = batch.time_ns

    def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
        assert now_ns >= self.until - 1
        self.until = now_ns
        end = int(np.searchsorted(self.due, until_ns, "right"))
        rows = np.arange(self.sent, end)
        self.sent = end
        return numbered(rows, self.due[rows])

    def next_time_ns(self) -> int:
        return int(self.due[self.sent]) if self.sent < len(self.due) else FOREVER


class Echo:
    """Returns each packet at the moment of its arrival."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self.times: list[int] = []
        self.batches = 0
        self._out = empty_batch(8)

    def receive(self, batch: Batch) -> None:
        self.batches += 1
        self.arrived += numbers_of(batch).tolist()
        self.times += batch.time_ns.tolist()
        self._out = batch

    def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
        out, self._out = self._out, empty_batch(8)
        return out

    def next_time_ns(self) -> int:
        return FOREVER


def echoed(up: Impairment, down: Impairment, due: Times, seed: int = 1) -> tuple[Pinger, Echo]:
    pinger, echo = Pinger(due), Echo()
    carrier = BatchCarrier(pinger, echo, Path.of([up], [down], seed))
    carrier.run(int(due[-1]) + 10 * SECOND)
    assert carrier.now_ns == int(due[-1]) + 10 * SECOND
    return pinger, echo


DUE = np.arange(3000, dtype=np.int64) * 20 * MS


def test_a_clean_path_gives_exactly_its_delay_in_few_batches() -> None:
    pinger, echo = echoed(Impairment(50 * MS), Impairment(30 * MS), DUE)
    assert set((pinger.back - DUE).tolist()) == {80 * MS}
    assert echo.times == (DUE + 50 * MS).tolist()
    assert echo.batches <= len(DUE) // 2  # windows of the path's delay, not single packets


@pytest.mark.slow
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("delay_ns", [0, 3 * MS, 60 * MS])
def test_it_is_the_link_and_nothing_else(ordered: bool, delay_ns: int) -> None:
    up = Impairment(delay_ns, 10 * MS, ordered=ordered, loss=Loss(0.1, 3))
    down = Impairment(delay_ns, 12 * MS, ordered=ordered, loss=Loss(0.05))
    pinger, echo = echoed(up, down, DUE)
    path = Path.of([up], [down], 1)
    size = np.full(len(DUE), 8)
    there = release_of(path.up, DUE, size)
    reached = np.flatnonzero(there != NEVER)
    order = reached[np.argsort(there[reached], kind="stable")]
    assert echo.arrived == order.tolist()
    # An instant at which nothing can be foreseen is run 1 us at a time: so much later may a packet be.
    assert (np.abs(np.array(echo.times) - there[order]) <= 1000).all()
    back = release_of(path.down, there[order], size[order])
    expected = np.full(len(DUE), NEVER)
    expected[order] = back
    assert ((pinger.back == NEVER) == (expected == NEVER)).all()
    returned = expected != NEVER
    late = pinger.back[returned] - expected[returned]
    assert late.min() >= 0
    assert late.max() <= (0 if delay_ns == 60 * MS else 3000)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_times() -> None:
    weak = Impairment(20 * MS, 8 * MS, loss=Loss(0.2, 2), rate_bps=1_000_000, queue_ns=100 * MS)
    first, again, other = (echoed(weak, weak, DUE, seed)[0].back for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_many_packets_move_in_windows() -> None:
    due = np.arange(60_000, dtype=np.int64) * (SECOND // 10_000)
    _, echo = echoed(Impairment(40 * MS, 15 * MS), Impairment(40 * MS, 15 * MS), due)
    assert len(echo.arrived) == len(due)
    assert echo.batches < 2000


def test_an_endpoint_that_insists_on_the_same_instant_cannot_stop_time() -> None:
    class Insistent(Echo):
        asked = 0

        def next_time_ns(self) -> int:
            return 5 * MS if self.asked < 100 else FOREVER

        def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
            self.asked += 1
            return super().packets_to_send(now_ns, until_ns)

    insistent = Insistent()
    BatchCarrier(insistent, Echo(), Path.of([], [], 1)).run(SECOND)
    assert insistent.asked == 100


def test_without_any_delay_two_echoes_do_not_stop_time() -> None:
    class Starter(Echo):
        def next_time_ns(self) -> int:
            return FOREVER if self.batches or self.times else 0

        def packets_to_send(self, now_ns: int, until_ns: int) -> Batch:
            if not self.times:
                self.times = [0]
                return numbered(np.array([0]), np.array([0]))
            return super().packets_to_send(now_ns, until_ns)

    starter = Starter()
    BatchCarrier(starter, Echo(), Path.of([], [], 1)).run(MS)
    assert 100 < starter.batches <= 1001


# aioquic


@cache
def identity() -> tuple[x509.Certificate, ed25519.Ed25519PrivateKey]:
    # An ECDSA signature's length varies from one handshake to the next, and with it aioquic's pacing.
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    start = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=9))
    return builder.sign(key, None), key


class Download:
    """A client that asks for bytes over QUIC as soon as it is connected, and a server that sends them."""

    def __init__(self, path: Path, size: int) -> None:
        certificate, key = identity()
        serving = QuicConfiguration(
            is_client=False, alpn_protocols=["t"], certificate=certificate, private_key=key
        )
        asking = QuicConfiguration(is_client=True, alpn_protocols=["t"], verify_mode=0)
        self.client = QuicConnection(configuration=asking)
        self.server = QuicConnection(
            configuration=serving,
            original_destination_connection_id=self.client.original_destination_connection_id,
        )
        self.carrier = DatagramCarrier(self.client, self.server, path)
        self.client.connect(("192.0.2.2", 40000), now=self.carrier.now)
        self.size, self.received, self.ended = size, 0, False
        self.connected_ns: int | None = None

    def step(self) -> bool:
        self.drain(self.client, self.at_client)
        self.drain(self.server, self.at_server)
        return self.ended

    @staticmethod
    def drain(connection: QuicConnection, take: Callable[[QuicEvent], None]) -> None:
        while (event := connection.next_event()) is not None:
            take(event)

    def at_client(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self.connected_ns = self.carrier.now_ns
            self.client.send_stream_data(0, b"please", end_stream=True)
        elif isinstance(event, StreamDataReceived):
            self.received += len(event.data)
            self.ended = event.end_stream
        assert not isinstance(event, ConnectionTerminated)

    def at_server(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived) and event.end_stream:
            self.server.send_stream_data(0, bytes(self.size), end_stream=True)


def test_a_quic_handshake_takes_one_round_trip() -> None:
    download = Download(Path.of([Impairment(50 * MS)], [Impairment(50 * MS)], 1), 100)
    assert download.carrier.run(10 * SECOND, download.step)
    assert download.connected_ns == 100 * MS
    assert download.carrier.now_ns == 200 * MS
    assert download.received == 100


@pytest.mark.slow
def test_quic_gets_through_a_lossy_path_and_always_at_the_same_time() -> None:
    weak = Impairment(50 * MS, 5 * MS, loss=Loss(0.10, 2))
    for seed in range(5):
        times = set()
        for _ in range(2):
            download = Download(Path.of([weak], [weak], seed), 100_000)
            assert download.carrier.run(300 * SECOND, download.step), f"seed {seed} did not end"
            assert download.received == 100_000
            times.add((download.connected_ns, download.carrier.now_ns))
        assert len(times) == 1


def test_a_timer_that_is_never_content_moves_time() -> None:
    class Stuck:
        served = 0

        def receive_datagram(self, data: bytes, addr: Any, now: float) -> None: ...

        def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
            return []

        def get_timer(self) -> float | None:
            return 1.0

        def handle_timer(self, now: float) -> None:
            self.served += 1

    stuck = Stuck()
    carrier = DatagramCarrier(stuck, Stuck(), Path.of([], [], 1))
    assert not carrier.run(SECOND + 10_000)
    assert stuck.served == 11
    assert carrier.now_ns == SECOND + 10_000


def test_a_passive_endpoint_is_left_alone_until_it_hears_something() -> None:
    certificate, key = identity()
    configuration = QuicConfiguration(is_client=False, certificate=certificate, private_key=key)
    server = QuicConnection(configuration=configuration, original_destination_connection_id=bytes(8))

    class Silent:
        def receive_datagram(self, data: bytes, addr: Any, now: float) -> None: ...

        def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
            return []

        def get_timer(self) -> float | None:
            return None

        def handle_timer(self, now: float) -> None: ...

    assert not DatagramCarrier(Silent(), server, Path.of([], [], 1)).run(SECOND)
