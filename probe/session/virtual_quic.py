"""One session over QUIC in virtual time: the same client and node as over sockets, on an emulated path.

A session costs about a twentieth of the time it stands for, nearly all of it in aioquic's Python: without any
encryption it would be a tenth less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from probe.errors import NotMeasured
from probe.impairment.chain import Path
from probe.impairment.profile import NetworkProfile
from probe.impairment.virtual import DatagramCarrier
from probe.methods.media_client import MediaClient
from probe.methods.negotiation import QUIC_STREAM, Grant
from probe.methods.roq_client import RoqClient
from probe.methods.running import Running
from probe.methods.schedule import Schedule, StreamSpec
from probe.metrics import NEVER, RUNNING, T_MAX_NS, Rows, empty_rows
from probe.records import COMPLETED, FAILED, NOT_CONNECTED, SessionRecord
from probe.session.merge import merge_log
from probe.session.virtual_connect import NODE, PATIENCE_NS, identity, quic_node
from probe.wire.media import SLOT_BITS

START_DELAY_NS = 50_000_000
_TOKEN = bytes(range(16))
_SSRC_BASE = 1 << SLOT_BITS


def run_virtual_quic(
    record: SessionRecord,
    stream: StreamSpec,
    plan: Schedule,
    networks: Sequence[NetworkProfile],
    began_ns: int,
) -> Rows:
    """Measure over QUIC through `networks` in a row, the first next to the client; `record` is filled in.

    `began_ns` is the Unix time of the first media packet. The test connection's handshake and token go through
    the same path as its media. Returns the finished rows.
    """
    record.resolve_ms = 0.0
    exchange = _Exchange(record, stream, plan, Path.through(networks, record.seed))
    if not exchange.connected():
        code = "no_handshake" if exchange.client.handshake_at is None else "no_bind"
        record.outcome, record.error = NOT_CONNECTED, {"code": code, "transport": record.transport}
        return empty_rows(0)
    try:
        exchange.client.check_size(int(plan.size.max()))
    except NotMeasured as error:
        record.outcome = FAILED
        record.error = {"code": "NotMeasured", "detail": str(error), "hint": error.hint}
        return empty_rows(0)
    media = exchange.send()
    rows = exchange.rows
    log = exchange.node.roq.log(exchange.grant.session, 0, len(rows) * 2 + 1024)
    merge_log(rows, log, streams=stream.calls)
    rows = Running(rows, plan, media.start_ns).samples()
    record.wall_offset_ns = began_ns - media.start_ns
    record.client |= asdict(media.counts) | exchange.client.counters()
    record.counters = exchange.node.roq.report(exchange.grant.session)
    record.impairment = exchange.path.report(exchange.carrier.now_ns)
    record.outcome = COMPLETED
    _phases(record, exchange.client, rows)
    return rows


class _Exchange:
    """A client and a node at both ends of the path, before the handshake."""

    def __init__(self, record: SessionRecord, stream: StreamSpec, plan: Schedule, path: Path) -> None:
        self.path, self._stream, self._plan = path, stream, plan
        self.rows = empty_rows(stream.calls * plan.packets, RUNNING)
        self.grant = Grant(
            transport=record.transport,
            streams=stream.calls,
            packets=plan.packets,
            packet_bytes=int(plan.size.max()),
            rate_pps=record.rate_pps,
            rate_bps=stream.bitrate_bps * stream.calls,
            duration_ms=-(-stream.duration_ns // 1_000_000),
            one_way=stream.one_way,
            nack=False,
            deadline_ms=record.deadline_ns // 1_000_000,
            session=1,
            token=_TOKEN,
            ssrc_base=_SSRC_BASE,
        )
        self.node = quic_node(record.seed)
        self.node.roq.open(self.grant)
        self.client = RoqClient(
            identity(),
            address=NODE,
            token=_TOKEN,
            streams=record.transport == QUIC_STREAM,
            deadline_ns=record.deadline_ns,
        )
        self.carrier = DatagramCarrier(self.client, self.node, path)

    def connected(self) -> bool:
        """Handshake and token, in time."""
        self.client.connect(0.0)

        def over() -> bool:
            return self.client.bound_at is not None or self.client.closed is not None

        return self.carrier.run(PATIENCE_NS, over) and self.client.bound_at is not None

    def send(self) -> MediaClient:
        """All packets of the plan, until everything is back or can count no more."""
        media = MediaClient(
            self._stream,
            self._plan,
            self.rows,
            ssrc_base=_SSRC_BASE,
            token=_TOKEN,
            nack=False,
            start_ns=self.carrier.now_ns + START_DELAY_NS,
        )
        self.client.start(media, self.rows, streams=self._stream.calls, ssrc_base=_SSRC_BASE)
        self.carrier.run(media.start_ns + self._stream.duration_ns, lambda: self.client.closed is not None)
        tail_ns = self.carrier.now_ns + T_MAX_NS + START_DELAY_NS
        self.carrier.run(tail_ns, lambda: self.client.closed is not None or self._nothing_outstanding())
        self.client.abort()
        return media

    def _nothing_outstanding(self) -> bool:
        rows = self.rows
        if self._stream.one_way or not self.client.all_sent:
            return False
        back = (rows["received_ns"] != NEVER) | (rows["down_repaired_ns"] != NEVER)
        return bool((back | (rows["unsent"] != 0)).all())


def _phases(record: SessionRecord, client: RoqClient, rows: Rows) -> None:
    """What connecting took, as over sockets."""
    assert client.handshake_at is not None
    assert client.bound_at is not None
    record.handshake_ms = client.handshake_at * 1e3
    record.bind_ms = (client.bound_at - client.handshake_at) * 1e3
    back = np.concatenate([rows[name][rows[name] != NEVER] for name in ("received_ns", "down_repaired_ns")])
    sent = rows["sent_ns"][rows["sent_ns"] != NEVER]
    if len(back):
        record.first_packet_ms = float(back.min() - sent.min()) / 1e6
        record.connect_ms = record.handshake_ms + record.bind_ms + record.first_packet_ms
