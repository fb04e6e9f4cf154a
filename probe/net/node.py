"""The partner node: the QUIC loop here, the media loop in a process of its own, on one UDP port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from probe.errors import NotMeasured
from probe.methods.admission import Admission, Limits
from probe.methods.control_server import ControlServer, SessionBackend
from probe.methods.negotiation import QUIC_DATAGRAM, QUIC_STREAM, UDP
from probe.methods.quic_node import QuicNode
from probe.methods.quic_server import QuicServer, server_configuration
from probe.methods.roq_reflector import RoqReflector
from probe.net.address import Address
from probe.net.certificate import NodeCertificate, load_or_create, self_signed
from probe.net.media_process import MediaProcess
from probe.net.one_socket import OneSocket
from probe.net.port_split import bind_one, bind_split
from probe.net.punctual import ORDINARY, Privileges, Punctuality
from probe.net.quic_listener import RECEIVE_AT_ONCE, QuicListener
from probe.net.udp import open_udp
from probe.net.watched import Watched
from probe.records import Json


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """`key_source` says where the key came from; `plain`: one socket, one system call a packet.

    `ephemeral`: a certificate for this process only, kept nowhere. `until_eof`: stop as well when standard
    input ends, so that a node never outlives whoever started it.
    """

    listen: Address
    key: bytes
    key_source: str
    state: Path | None
    limits: Limits
    plain: bool = False
    ephemeral: bool = False
    until_eof: bool = False
    punctuality: Punctuality = ORDINARY


class MediaLoop(SessionBackend, Protocol):
    """Serves the UDP sessions, in process `pid`; `ended` raises when it cannot any more."""

    @property
    def pid(self) -> int: ...

    async def ended(self) -> None: ...

    async def stop(self) -> None: ...


async def serve_node(config: NodeConfig, ready: Callable[[Json], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told address and fingerprint once both loops listen.

    Raises NotMeasured when the port or the state folder cannot be used, or a loop dies.
    """
    broken = _broken()
    certificate = self_signed() if config.ephemeral else load_or_create(config.state)
    stopping = _stop_request(until_eof=config.until_eof)
    split = None if config.plain else bind_split(config.listen)
    sock = open_udp(
        sock=split[0] if split else bind_one(config.listen), plain=split is None, slots=RECEIVE_AT_ONCE
    )
    with contextlib.closing(sock):
        media: MediaLoop
        if split:
            media = await MediaProcess.start(split[1], punctuality=config.punctuality)
        else:
            Privileges(config.punctuality)  # to the end of this process, whose loop is the packet loop
            media = OneSocket(sock)
        try:
            node = _quic_node(config, certificate, media)
            listener = QuicListener(sock, node)
            listener.start(read=split is not None)
            if isinstance(media, OneSocket):
                media.start(listener.feed)
            ready(_ready(config, certificate, sock.local(), split=split is not None))
            await _until(stopping, media, broken)
            listener.stop()
        finally:
            await media.stop()


def _stop_request(*, until_eof: bool) -> asyncio.Event:
    """Set by SIGTERM, SIGINT and, if wanted, the end of standard input."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def on_input() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stopping.set()

    if until_eof:
        loop.add_reader(0, on_input)
    return stopping


def _quic_node(config: NodeConfig, certificate: NodeCertificate, media: MediaLoop) -> QuicNode:
    roq = RoqReflector()
    quic = Watched(roq, os.getpid())
    control = ControlServer(
        keys={"shared": config.key},
        fingerprint=certificate.fingerprint,
        admission=Admission(config.limits, secrets.token_bytes),
        backends={UDP: Watched(media, media.pid), QUIC_DATAGRAM: quic, QUIC_STREAM: quic},
        random=secrets.token_bytes,
    )
    configuration = server_configuration(certificate.certificate, certificate.private_key)
    configuration.certificate_chain = list(certificate.chain)
    return QuicNode(QuicServer(configuration, random=secrets.token_bytes), control, roq)


def _broken() -> asyncio.Future[None]:
    """Fails when anything of the running event loop does: after that nobody knows what it still serves."""
    loop = asyncio.get_running_loop()
    broken: asyncio.Future[None] = loop.create_future()

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not broken.done():
            broken.set_exception(context.get("exception") or RuntimeError(context["message"]))

    loop.set_exception_handler(note)
    return broken


async def _until(stopping: asyncio.Event, media: MediaLoop, broken: asyncio.Future[None]) -> None:
    """Return when told to stop; raise NotMeasured when either loop ends first."""
    stop, ended = asyncio.create_task(stopping.wait()), asyncio.create_task(media.ended())
    try:
        await asyncio.wait((stop, ended, broken), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            error = ended.exception()
            raise NotMeasured(
                f"the node's media loop ended, so the node stops: {error}", hint="start it again"
            ) from None
        if broken.done():
            error = broken.exception()
            raise NotMeasured(
                f"the node's QUIC loop failed, so the node stops: {type(error).__name__}: {error}",
                hint="this is a fault of probe; start it again, and report it",
            ) from error
    finally:
        for waited in (stop, ended, broken):
            waited.cancel()
        await asyncio.gather(stop, ended, broken, return_exceptions=True)


def _ready(config: NodeConfig, certificate: NodeCertificate, address: Address, *, split: bool) -> Json:
    host, port = address
    notes = [] if split else ["one socket for media and QUIC: this system cannot split a port"]
    return {
        "ready": True,
        "host": host,
        "port": port,
        "fingerprint": f"sha256:{certificate.fingerprint}",
        "key_source": config.key_source,
        "punctuality": config.punctuality.to_json(),
        "notes": notes,
    }
