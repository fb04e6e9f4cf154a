"""The control channel over real sockets on loopback."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
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
from probe.methods.negotiation import Grant
from probe.methods.quic_server import server_configuration
from probe.net import quic
from probe.net.quic import connect_control
from probe.wire.log import LOG
from tests.quic_loopback import PINNED, closed_port, running, silent_port
from tests.quic_parts import KEY, Backend, quic_node, request

pytestmark = pytest.mark.net


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
