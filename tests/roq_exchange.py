"""An RTP over QUIC client and a node, back to back over an emulated path in virtual time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from aioquic.quic.connection import QuicConnection
from aioquic.tls import Epoch
from numpy.typing import NDArray

from probe.impairment.chain import Chain, Path
from probe.impairment.link import DROPPED
from probe.impairment.passage import Passage
from probe.impairment.virtual import DatagramCarrier
from probe.methods.media_client import MediaClient
from probe.methods.negotiation import Grant
from probe.methods.quic_node import QuicNode
from probe.methods.quic_server import Datagrams
from probe.methods.roq_client import RoqClient
from probe.methods.schedule import schedule, stream_spec
from probe.metrics import Rows, Times, empty_rows
from tests.quic_parts import IDENTITY, quic_node, request

SECOND_NS = 1_000_000_000
NODE = ("192.0.2.2", 40000)


class Wiretap(Chain):
    """A chain that remembers what it dropped; it drops nothing before it is `armed`."""

    def __init__(self, inner: Chain) -> None:
        self.inner = inner
        self.sent: list[tuple[bytes, bool]] = []
        """Datagrams in the order of leaving, and whether the path lost them."""
        self.tags: list[int] = []
        """By what name each one's sender wants to be told when it left."""
        self.armed = False
        self.waiting: list[bytes] = []

    def push(self, arrival_ns: Times, size: NDArray[np.int64]) -> Passage:
        if self.armed:
            passage = self.inner.push(arrival_ns, size)
        else:
            passage = Passage(np.arange(len(size)), arrival_ns + self.inner.min_delay_ns, whole=True)
        release = passage.first(len(size))
        for row, data in enumerate(self.waiting[: len(size)]):
            self.sent.append((data, bool(release[row] == DROPPED)))
        del self.waiting[: len(size)]
        return passage

    def earliest_release(self, arrival_ns: int) -> int:
        return self.inner.earliest_release(arrival_ns)


@dataclass
class Tapped:
    """An endpoint whose datagrams are shown to a `Wiretap` before they leave."""

    endpoint: Any
    tap: Wiretap

    def datagrams_to_send(self, now: float) -> Datagrams:
        datagrams: Datagrams = self.endpoint.datagrams_to_send(now)
        self.tap.waiting += [data for data, _ in datagrams]
        self.tap.tags += self.endpoint.tags(len(datagrams)).tolist()
        return datagrams

    def __getattr__(self, name: str) -> Any:
        return getattr(self.endpoint, name)


def first_carriers(tap: Wiretap, receiver: QuicConnection, kind: int, token: bytes) -> dict[int, int]:
    """By index of the media packet, which datagram carried it first: read from the decrypted datagrams alone."""
    pattern = re.compile(b"RP" + bytes([kind]) + b".(....)" + re.escape(token[:4]), re.DOTALL)
    crypto, expected = receiver._cryptos[Epoch.ONE_RTT], 0
    found: dict[int, int] = {}
    for place, (data, _) in enumerate(tap.sent):
        if data[0] & 0x80:
            continue
        _, plain, number = crypto.decrypt_packet(data, 9, expected)
        expected = number + 1
        for match in pattern.finditer(plain):
            found.setdefault(int.from_bytes(match.group(1), "big"), place)
    return found


@dataclass
class RoqExchange:
    """One session in virtual time."""

    node: QuicNode
    grant: Grant
    client: RoqClient
    rows: Rows
    carrier: DatagramCarrier
    up: Wiretap
    down: Wiretap
    start_ns: int
    node_quic: QuicConnection

    def run(self, seconds: float) -> None:
        self.carrier.run(self.carrier.now_ns + int(seconds * SECOND_NS))

    @property
    def log(self) -> NDArray[Any]:
        return self.node.roq.log(self.grant.session, 0, 1 << 20)

    def carriers_up(self) -> dict[int, int]:
        return first_carriers(self.up, self.node_quic, 1, self.grant.token)

    def carriers_down(self) -> dict[int, int]:
        return first_carriers(self.down, self.client._quic, 2, self.grant.token)

    def first_lost_up(self) -> dict[int, bool]:
        return {index: self.up.sent[place][1] for index, place in self.carriers_up().items()}

    def first_lost_down(self) -> dict[int, bool]:
        return {index: self.down.sent[place][1] for index, place in self.carriers_down().items()}


def begin(
    transport: str,
    path: Path,
    *,
    preset: str = "voice",
    calls: int = 1,
    seconds: float = 10,
    bitrate_bps: int | None = None,
    deadline_ms: int = 200,
    seed: int = 1,
) -> RoqExchange:
    """Connect and bind (over the path without its losses), and be ready to send."""
    spec = stream_spec(preset, calls=calls, duration_ns=int(seconds * SECOND_NS), bitrate_bps=bitrate_bps)
    plan = schedule(spec, np.random.default_rng(seed))
    asked = request(
        transport=transport,
        streams=calls,
        packets=plan.packets,
        packet_bytes=int(plan.size.max()),
        rate_pps=plan.packets * calls / seconds,
        one_way=spec.one_way,
        deadline_ms=deadline_ms,
    )
    node = quic_node()
    grant = node.control._admission.admit(asked, address="a", key="k")
    assert isinstance(grant, Grant)
    node.roq.open(grant)
    client = RoqClient(
        IDENTITY,
        address=NODE,
        token=grant.token,
        streams=transport == "quic-stream",
        deadline_ns=deadline_ms * 1_000_000,
    )
    up, down = Wiretap(path.up), Wiretap(path.down)
    carrier = DatagramCarrier(Tapped(client, up), Tapped(node, down), Path(up, down))
    client.connect(0.0)
    assert carrier.run(20 * SECOND_NS, lambda: client.bound_at is not None)
    client.check_size(int(plan.size.max()))
    up.armed = down.armed = True
    rows = empty_rows(plan.packets * calls)
    start_ns = carrier.now_ns + 50_000_000
    media = MediaClient(
        spec, plan, rows, ssrc_base=grant.ssrc_base, token=grant.token, nack=False, start_ns=start_ns
    )
    client.start(media, rows, streams=spec.calls, ssrc_base=grant.ssrc_base)
    (peer,) = node.server.peers
    return RoqExchange(node, grant, client, rows, carrier, up, down, start_ns, peer.quic)
