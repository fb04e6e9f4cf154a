"""The RTCP of a capture: each report with when and between whom it was seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.errors import ProtocolError
from probe.wire.datagrams import Datagrams, Endpoint
from probe.wire.rtcp import ReceiverReport, SenderReport, parse_compound


class SeenReport(NamedTuple):
    """A sender's or receiver's report."""

    time_ns: int
    source: Endpoint
    destination: Endpoint
    report: SenderReport | ReceiverReport


def read_reports(
    data: NDArray[np.uint8], datagrams: Datagrams, rows: NDArray[np.intp]
) -> tuple[list[SeenReport], int]:
    """`(reports in order of capture, datagrams that are no RTCP after all)`; SRTCP's are encrypted and no reports."""
    found: list[SeenReport] = []
    malformed = 0
    for row in rows.tolist():
        at = int(datagrams.at[row])
        try:
            packets = parse_compound(data[at : at + int(datagrams.captured[row])].tobytes())
        except ProtocolError:
            malformed += 1
            continue
        source, destination = datagrams.ends(row)
        found += [
            SeenReport(int(datagrams.time_ns[row]), source, destination, packet)
            for packet in packets
            if isinstance(packet, (SenderReport, ReceiverReport))
        ]
    return found, malformed
