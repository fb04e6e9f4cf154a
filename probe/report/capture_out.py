"""What arrived of a stream as a capture that other programs open, written by scapy.

Packets of a table or a stored run have no headers that were kept, so these are what such packets would have: RTP with
payload type 0, whose clock of 8000 Hz every program knows, one flow and SSRC a stream, addresses of documentation (RFC
5737), as many zero bytes as the packet was long. The time of each is that of its arrival; lost packets are not there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from probe.analysis.rtp_clock import SECOND_NS
from probe.errors import ConfigError
from probe.session.analyze import AnalysedStream
from probe.store.atomic import publishing

CLOCK_HZ, PCMU = 8000, 0
RAW_IP = 101
USUAL_BYTES = 172
"""Of a packet whose size is not known: 20 ms of G.711 and its header."""
MOST_STREAMS = 10_000
_RTP = struct.Struct("!BBHII")


def check_capture(path: Path) -> None:
    """Before anything is analysed. Raises ConfigError."""
    if path.suffix != ".pcap":
        raise ConfigError(f"--pcap {path}: a capture is a .pcap file")
    if path.is_dir():
        raise ConfigError(f"--pcap {path}: that is a folder, not a file")


def write_capture(path: Path, streams: Sequence[AnalysedStream]) -> int:
    """How many packets were written. Raises StoreError when it cannot be, ConfigError for too many streams."""
    from scapy.layers.inet import IP, UDP
    from scapy.utils import PcapWriter

    if len(streams) > MOST_STREAMS:
        raise ConfigError(
            f"--pcap: {len(streams)} streams are more than there are ports for", hint="--stream N"
        )
    heads = [
        IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=20_000 + 2 * i, dport=40_000 + 2 * i)
        for i in range(len(streams))
    ]
    count = 0
    with publishing(path) as temporary, PcapWriter(str(temporary), linktype=RAW_IP, nano=True) as writer:
        writer.write_header(None)
        for number, time_ns, packet in _arrivals(streams):
            frame = bytes(heads[number] / packet)
            writer.write_packet(
                frame,
                sec=time_ns // SECOND_NS,
                usec=time_ns % SECOND_NS,
                caplen=len(frame),
                wirelen=len(frame),
            )
            count += 1
    return count


def _arrivals(streams: Sequence[AnalysedStream]) -> Iterator[tuple[int, int, bytes]]:
    """`(stream, time, RTP packet)` of all streams, in order of arrival."""
    numbers = [np.full(len(stream.series.order), number) for number, stream in enumerate(streams)]
    stream_of = np.concatenate([np.zeros(0, np.intp), *numbers])
    row_of = np.concatenate([np.zeros(0, np.intp), *(stream.series.order for stream in streams)])
    times = np.concatenate(
        [np.zeros(0, np.int64), *(stream.series.received_ns[stream.series.order] for stream in streams)]
    )
    times = times - min(0, int(times.min(initial=0)))  # no capture begins before 1970
    for place in np.argsort(times, kind="stable").tolist():
        number, row = int(stream_of[place]), int(row_of[place])
        series = streams[number].series
        ticks = (int(series.sent_ns[row] - series.sent_ns[0]) * CLOCK_HZ + SECOND_NS // 2) // SECOND_NS
        size = USUAL_BYTES if series.size is None else int(series.size[row])
        header = _RTP.pack(0x80, PCMU, int(series.seq[row]) % 2**16, ticks % 2**32, number + 1)
        yield number, int(times[place]), header + bytes(max(0, size - len(header)))
