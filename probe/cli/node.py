"""`probe node`: what a partner runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from probe.cli.options import LowLatency, PlainSockets, Rt, Spin

Listen: TypeAlias = Annotated[str, typer.Option(help="address and UDP port, `:40000` for every address")]
KeyFile: TypeAlias = Annotated[
    Path | None, typer.Option(help="file with the shared key (else $PROBE_NODE_KEY, else one is made)")
]
State: TypeAlias = Annotated[
    Path | None, typer.Option(help="where certificate and key are kept (default: the user's state folder)")
]
MaxSessions: TypeAlias = Annotated[int, typer.Option(min=1, help="sessions at a time, in all")]
MaxOfAddress: TypeAlias = Annotated[int, typer.Option(min=1, help="sessions at a time of one address")]
MaxStreams: TypeAlias = Annotated[int, typer.Option(min=1, help="streams of one session")]
MaxPacket: TypeAlias = Annotated[int, typer.Option(min=72, max=1200, help="bytes of one RTP packet")]
MaxRate: TypeAlias = Annotated[float, typer.Option(min=0.01, help="Mbit/s of one session")]
MaxNodeRate: TypeAlias = Annotated[float, typer.Option(min=0.01, help="Mbit/s of all sessions")]
MaxQuicRate: TypeAlias = Annotated[float, typer.Option(min=1, help="packets/s of all QUIC sessions")]
MaxDuration: TypeAlias = Annotated[int, typer.Option(min=1, help="seconds of one session")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="one JSON line when ready")]
Ephemeral: TypeAlias = Annotated[
    bool, typer.Option(help="a certificate for this process only; nothing is kept on disk")
]
UntilEof: TypeAlias = Annotated[
    bool, typer.Option(help="stop when standard input ends, too: with whoever started the node")
]


def node(
    listen: Listen = ":40000",
    key_file: KeyFile = None,
    state: State = None,
    max_sessions: MaxSessions = 64,
    max_sessions_per_address: MaxOfAddress = 8,
    max_streams: MaxStreams = 4000,
    max_packet_bytes: MaxPacket = 1200,
    max_rate: MaxRate = 200.0,
    max_node_rate: MaxNodeRate = 1000.0,
    max_quic_rate: MaxQuicRate = 1000.0,
    max_duration: MaxDuration = 3600,
    json: Json = False,
    plain_sockets: PlainSockets = False,
    rt: Rt = False,
    low_latency: LowLatency = False,
    spin: Spin = None,
    ephemeral: Ephemeral = False,
    until_eof: UntilEof = False,
) -> None:
    """Run a partner node: one UDP port that reflects authenticated test streams, until SIGTERM."""
    import asyncio

    from probe.cli.levers import punctuality
    from probe.methods.admission import Limits
    from probe.net.clock import be_punctual
    from probe.net.listen import parse_listen
    from probe.net.node import NodeConfig, serve_node
    from probe.net.node_key import read_key
    from probe.net.punctual import require
    from probe.report.node import print_ready
    from probe.wire.media import MIN_PACKET_BYTES

    limits = Limits(
        sessions=max_sessions,
        address_sessions=max_sessions_per_address,
        streams=max_streams,
        packet_bytes=max_packet_bytes,
        rate_pps=max_rate * 1e6 / 8 / MIN_PACKET_BYTES,
        rate_bps=int(max_rate * 1e6),
        node_rate_bps=int(max_node_rate * 1e6),
        quic_rate_pps=max_quic_rate,
        duration_ms=max_duration * 1000,
    )
    address, levers = parse_listen(listen), punctuality(rt, low_latency, spin)
    key, source = read_key(key_file, state)
    require(levers)
    config = NodeConfig(
        *(address, key, source, state, limits),
        plain=plain_sockets,
        ephemeral=ephemeral,
        until_eof=until_eof,
        punctuality=levers,
    )
    be_punctual(collecting=True)
    asyncio.run(serve_node(config, lambda ready: print_ready(ready, as_json=json)))
