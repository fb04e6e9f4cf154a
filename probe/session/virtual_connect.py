"""Connecting in virtual time: the handshake and the bind of a session by the methods that do them over sockets.

The same for the same seed: what aioquic draws at random changes no size and no time, and the node's certificate is
signed with Ed25519, whose signatures are all of one length.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from functools import cache
from random import Random
from typing import Any

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from probe.impairment.chain import Path
from probe.impairment.virtual import DatagramCarrier
from probe.methods.admission import Admission, Limits
from probe.methods.batch import Batch, no_address
from probe.methods.bind import Bind
from probe.methods.control_server import ControlServer
from probe.methods.quic_client import Handshake, NodeIdentity
from probe.methods.quic_node import QuicNode
from probe.methods.quic_server import QuicServer, server_configuration
from probe.methods.reflector import Reflector
from probe.methods.roq_reflector import RoqReflector
from probe.methods.schedule import SECOND_NS
from probe.records import SessionRecord

NODE = ("192.0.2.2", 40000)
PATIENCE_NS = 5 * SECOND_NS
"""For a handshake, and for a bind: as a worker has (net/job.py)."""


def connect_udp(record: SessionRecord, reflector: Reflector, path: Path, *, ssrc: int, token: bytes) -> bool:
    """Fill in the connect phases of a UDP session that `reflector` serves; whether it is bound.

    A handshake on a connection of its own, as signalling would do it, then the bind. No name is looked up.
    """
    record.resolve_ms = 0.0
    handshake = Handshake(identity(), NODE)
    carrier = DatagramCarrier(handshake, quic_node(record.seed), path)
    handshake.connect(0.0)
    carrier.run(PATIENCE_NS, lambda: handshake.completed_at is not None or handshake.closed is not None)
    if handshake.completed_at is not None:
        record.handshake_ms = handshake.completed_at * 1e3
    start_ns = carrier.now_ns
    bind = Bind(token, bytes(8), ssrc, NODE)
    carrier = DatagramCarrier(_FromNow(bind, start_ns), _BindNode(reflector), path, start_ns=start_ns)
    carrier.run(start_ns + PATIENCE_NS, lambda: bind.bound_at is not None)
    if bind.bound_at is not None:
        record.bind_ms = bind.bound_at * 1e3
    return bind.bound_at is not None


class _FromNow:
    """A `Bind` whose time began at `start_ns`."""

    def __init__(self, bind: Bind, start_ns: int) -> None:
        self._bind, self._start = bind, start_ns / 1e9

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        self._bind.receive_datagram(data, addr, now - self._start)

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
        return self._bind.datagrams_to_send(now - self._start)

    def get_timer(self) -> float | None:
        timer = self._bind.get_timer()
        return None if timer is None else timer + self._start

    def handle_timer(self, now: float) -> None:
        """Nothing but time decides what leaves next."""


class _BindNode:
    """The media port of a node, for single datagrams."""

    def __init__(self, reflector: Reflector) -> None:
        self._reflector = reflector

    def receive_datagram(self, data: bytes, addr: Any, now: float) -> None:
        matrix = np.frombuffer(data, np.uint8)[None, :]
        at_ns = np.array([round(now * 1e9)], np.int64)
        self._reflector.receive(Batch(matrix, np.array([len(data)]), at_ns, no_address(1)))

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, Any]]:
        now_ns = round(now * 1e9)
        batch = self._reflector.packets_to_send(now_ns, now_ns)
        return [(batch.data[row, : batch.size[row]].tobytes(), None) for row in range(len(batch.size))]

    def get_timer(self) -> float | None:
        return None

    def handle_timer(self, now: float) -> None:
        """A media port answers what it hears, and does nothing of its own accord."""


def quic_node(seed: int) -> QuicNode:
    """All of a node that speaks QUIC; its session is opened without a control channel."""
    certificate, private_key, fingerprint = _certificate()
    random, roq = Random(seed).randbytes, RoqReflector()
    control = ControlServer(
        keys={},
        fingerprint=fingerprint.removeprefix("sha256:"),
        admission=Admission(Limits(), random),
        backends={},
        random=random,
    )
    return QuicNode(QuicServer(server_configuration(certificate, private_key), random=random), control, roq)


def identity() -> NodeIdentity:
    """What a client knows of that node."""
    return NodeIdentity("node", _certificate()[2])


@cache
def _certificate() -> tuple[x509.Certificate, Ed25519PrivateKey, str]:
    """The same one in every process, with its fingerprint. It protects nothing: it never leaves this process."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "probe node")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
        .sign(key, None)
    )
    shown = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    return certificate, key, f"sha256:{shown}"
