"""The control channel and RTP over QUIC over real sockets on loopback."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from probe.errors import AuthenticationFailed, FingerprintMismatch, NotMeasured, Unreachable
from probe.methods.negotiation import Grant, OpenRequest
from probe.methods.quic_node import QuicNode
from probe.methods.quic_server import server_configuration
from probe.methods.schedule import StreamSpec, schedule, stream_spec
from probe.metrics import NEVER, Rows, Stamp, Unsent, empty_rows
from probe.net import quic, quic_job
from probe.net.job import PROGRESS, JobResult, MediaJob
from probe.net.quic import connect_control
from probe.net.quic_job import quic_handshake, run_quic_job
from probe.net.quic_listener import QuicListener
from probe.wire.log import LOG
from tests.quic_parts import CERTIFICATE, KEY, Backend, quic_node, request

pytestmark = pytest.mark.net

PINNED: dict[str, Any] = {"key": KEY, "fingerprint": f"sha256:{CERTIFICATE.fingerprint}", "timeout": 10.0}


class Running:
    """A node on loopback, in this event loop."""

    def __init__(self, node: QuicNode) -> None:
        self.node = node
        self.sock = udp_socket()
        self.address: tuple[str, int] = self.sock.getsockname()
        self.listener = QuicListener(self.sock, node)
        self.listener.start()

    def kill(self) -> None:
        """End without a word, as SIGKILL does."""
        self.listener._loop.remove_reader(self.sock.fileno())
        if self.listener._timer is not None:
            self.listener._timer.cancel()
        self.sock.close()

    def freeze(self) -> None:
        """Stop reading, with the port still open: what a dead path looks like."""
        self.listener._loop.remove_reader(self.sock.fileno())
        if self.listener._timer is not None:
            self.listener._timer.cancel()


def udp_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


@asynccontextmanager
async def running(node: QuicNode | None = None) -> AsyncIterator[Running]:
    server = Running(node or quic_node())
    try:
        yield server
    finally:
        if server.sock.fileno() >= 0:
            server.listener.stop()
            server.sock.close()


@contextmanager
def silent_port() -> Iterator[tuple[str, int]]:
    with udp_socket() as sock:
        yield sock.getsockname()


def closed_port() -> tuple[str, int]:
    with udp_socket() as sock:
        return sock.getsockname()  # type: ignore[no-any-return]


async def test_open_log_close() -> None:
    backend = Backend()
    async with running(quic_node(backend)) as node, connect_control(node.address, **PINNED) as control:
        assert control.limits["packet_bytes"] == 1200
        grant = await control.open(request())
        backend.rows = np.zeros(20_000, LOG)
        backend.rows["index"] = np.arange(20_000)
        rows, cursor = await control.log(grant.session, 0)
        more, end = await control.log(grant.session, cursor)
        assert (np.concatenate([rows, more]) == backend.rows).all()
        assert end == 20_000
        assert await control.close(grant.session) == {"received": 20_000}
        assert not control.lost.is_set()


async def test_several_clients_at_once() -> None:
    async with running() as node:

        async def session(streams: int) -> Grant:
            async with connect_control(node.address, **PINNED) as control:
                return await control.open(request(streams=streams, rate_pps=50.0 * streams))

        grants = await asyncio.gather(*(session(streams) for streams in range(1, 6)))
        assert [grant.streams for grant in grants] == [1, 2, 3, 4, 5]
        assert len({grant.ssrc_base for grant in grants}) == 5


async def test_a_wrong_key() -> None:
    async with running() as node:
        with pytest.raises(AuthenticationFailed, match="does not accept our key"):
            async with connect_control(node.address, **PINNED | {"key": b"wrong"}):
                pass


async def test_a_wrong_fingerprint() -> None:
    async with running() as node:
        with pytest.raises(FingerprintMismatch, match="is not the node that the plan pins"):
            async with connect_control(node.address, **PINNED | {"fingerprint": "sha256:" + "0" * 64}):
                pass


def authority(folder: Path) -> tuple[Path, Any]:
    """A certificate authority's file, and a server configuration with a certificate it signed."""
    now = dt.datetime.now(dt.UTC)

    def certificate(name: str, issuer: str, key: Any, signer: Any, *extra: x509.ExtensionType) -> Any:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension in extra:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(signer, hashes.SHA256())

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = certificate("ca", "ca", ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=None))
    names = x509.SubjectAlternativeName(
        [x509.DNSName("node.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    path = folder / "ca.pem"
    path.write_bytes(ca.public_bytes(Encoding.PEM))
    return path, server_configuration(certificate("node", "ca", key, ca_key, names), key)


async def test_a_certificate_authority_takes_the_place_of_a_pin(tmp_path: Path) -> None:
    cafile, configuration = authority(tmp_path)
    node = quic_node()
    node.server._configuration = configuration
    shown = configuration.certificate.fingerprint(hashes.SHA256()).hex()
    node.control._fingerprint = shown
    async with running(node) as server:
        for name in ("node.example", "127.0.0.1"):
            async with connect_control(
                server.address, key=KEY, cafile=str(cafile), server_name=name
            ) as control:
                await control.open(request())
        with pytest.raises(FingerprintMismatch, match="is not trusted"):
            async with connect_control(
                server.address, key=KEY, cafile=str(cafile), server_name="other.example"
            ):
                pass
        with pytest.raises(FingerprintMismatch, match="is not trusted"):
            async with connect_control(server.address, key=KEY, server_name="node.example"):
                pass
    with pytest.raises(NotMeasured, match="certificate authorities"):
        async with connect_control(server.address, key=KEY, cafile=str(tmp_path / "none.pem")):
            pass


async def test_nobody_listens() -> None:
    with pytest.raises(Unreachable, match="refuses"):
        async with connect_control(closed_port(), **PINNED):
            pass


async def test_nobody_answers() -> None:
    with silent_port() as address, pytest.raises(Unreachable, match=r"does not answer within 0\.3 s"):
        async with connect_control(address, **PINNED | {"timeout": 0.3}):
            pass


async def test_a_node_that_stops_says_so() -> None:
    async with running() as node, connect_control(node.address, **PINNED) as control:
        node.listener.stop()
        await asyncio.wait_for(control.lost.wait(), 5)
        assert "the node stops" in str(control.reason)
        with pytest.raises(Unreachable):
            await control.open(request())


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_a_node_that_dies_is_noticed(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic, "PING_S", 0.2)
    monkeypatch.setattr(quic, "DEAD_S", 0.8)
    async with running() as node, connect_control(node.address, **PINNED) as control:
        asked = asyncio.create_task(control.log(1, 0))
        getattr(node, how)()
        await asyncio.wait_for(control.lost.wait(), 5)
        with pytest.raises(Unreachable, match="refuses" if how == "kill" else "stopped answering"):
            await asked


async def test_pings_keep_a_quiet_connection_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic, "PING_S", 0.1)
    monkeypatch.setattr(quic, "DEAD_S", 0.6)
    async with running() as node, connect_control(node.address, **PINNED) as control:
        await asyncio.sleep(1.5)
        assert not control.lost.is_set()


async def test_an_answer_too_late_belongs_to_its_own_question(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as node, connect_control(node.address, **PINNED) as control:
        grant = await control.open(request())
        with monkeypatch.context() as hurried:
            hurried.setattr(quic, "REQUEST_S", 0.0)
            with pytest.raises(Unreachable):
                await control.log(grant.session, 0)
        assert await control.close(grant.session) == {"received": 0}


# media


def job(
    server: Running, transport: str, spec: StreamSpec, packets: int, grant: Grant, **changes: Any
) -> MediaJob:
    terms = {
        "transport": transport,
        "address": server.address,
        "session": grant.session,
        "token": grant.token,
        "ssrc_base": grant.ssrc_base,
        "spec": spec,
        "packets": packets,
        "rows": packets * spec.calls,
        "seed": 1,
        "nack": False,
        "deadline_ns": 200_000_000,
        "server_name": "node",
        "fingerprint": PINNED["fingerprint"],
        "cafile": None,
    }
    return MediaJob(**(terms | changes))


async def measure(
    server: Running, transport: str, *, seconds: float = 1.0, stop_after: float | None = None, **changes: Any
) -> tuple[JobResult, Rows, Any]:
    """Run a job in a thread; returns its result, rows and the node's log."""
    spec = stream_spec("voice", calls=2, duration_ns=int(seconds * 1e9))
    plan = schedule(spec, np.random.default_rng(1))
    rows, progress = empty_rows(plan.packets * 2), np.zeros(1, PROGRESS)
    asked: OpenRequest = request(
        transport=transport, streams=2, rate_pps=100.0, packets=plan.packets, packet_bytes=1200
    )
    async with connect_control(server.address, **PINNED) as control:
        grant = await control.open(asked)
        task = asyncio.create_task(
            asyncio.to_thread(
                run_quic_job, job(server, transport, spec, plan.packets, grant, **changes), rows, progress
            )
        )
        if stop_after is not None:
            await asyncio.sleep(stop_after)
            progress["stop"] = 1
        result = await task
        entries, _ = await control.log(grant.session, 0)
        return result, rows, entries


@pytest.mark.parametrize("transport", ["quic-datagram", "quic-stream"])
@pytest.mark.parametrize("plain", [False, True])
async def test_a_session(transport: str, plain: bool) -> None:
    async with running() as server:
        result, rows, entries = await measure(server, transport, plain=plain)
    assert result.outcome == "completed"
    assert result.handshake_ms is not None
    assert result.bind_ms is not None
    assert result.first_packet_ms is not None
    assert result.counters["misnumbered"] == 0
    sent = rows["sent_ns"] != NEVER
    assert (sent | (rows["unsent"] == Unsent.HOST_LATE)).all()
    assert sent.sum() > 50
    assert (rows["received_ns"][sent] > rows["sent_ns"][sent]).all()
    assert len(entries) == sent.sum()
    by_key = {int(row["stream"]) * 50 + int(row["index"]): row for row in entries}
    for key in np.flatnonzero(sent).tolist():
        assert rows["sent_ns"][key] < by_key[key]["t2"] < by_key[key]["t3"] < rows["received_ns"][key]
    assert ((rows["stamps"][sent] & Stamp.NODE_RECEIVED) != 0).all()
    assert ((rows["stamps"][sent] & Stamp.RECEIVED != 0) == (not plain)).all()


async def test_a_stopped_session_keeps_what_it_has() -> None:
    async with running() as server:
        result, rows, _ = await measure(server, "quic-stream", seconds=20, stop_after=1.0)
    assert result.outcome == "aborted"
    assert (rows["received_ns"] != NEVER).any()
    assert (rows["unsent"] == Unsent.ABORTED).any()
    assert ((rows["sent_ns"] != NEVER) ^ (rows["unsent"] != 0)).all()


async def test_a_session_with_a_node_that_pins_do_not_fit() -> None:
    async with running() as server:
        with pytest.raises(FingerprintMismatch):
            await measure(server, "quic-stream", fingerprint="sha256:" + "0" * 64)


async def test_a_session_whose_path_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic_job, "HANDSHAKE_TIMEOUT_NS", 300_000_000)
    with silent_port() as address:
        async with running() as server:
            result, rows, _ = await measure(server, "quic-stream", address=address)
    assert result.outcome == "unreachable"
    assert result.error == {
        "code": "no_handshake",
        "transport": "quic-stream",
        "detail": "no answer within 0.3 s",
    }
    assert (rows["sent_ns"] == NEVER).all()


async def test_a_session_with_a_token_that_is_not_known() -> None:
    async with running() as server:
        result, _, _ = await measure(server, "quic-datagram", token=bytes(16))
    assert result.outcome == "unreachable"
    assert result.error is not None
    assert result.error["code"] == "no_bind"


async def test_a_handshake_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = {"fingerprint": PINNED["fingerprint"]}
    async with running() as server:
        took = await asyncio.to_thread(quic_handshake, server.address, **pinned)
        assert took is not None
        assert took > 0
        with pytest.raises(FingerprintMismatch):
            await asyncio.to_thread(quic_handshake, server.address, fingerprint="sha256:" + "0" * 64)
    assert quic_handshake(closed_port(), **pinned) is None
    monkeypatch.setattr(quic_job, "HANDSHAKE_TIMEOUT_NS", 300_000_000)
    with silent_port() as address:
        assert quic_handshake(address, **pinned) is None
