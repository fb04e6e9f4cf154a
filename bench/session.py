"""One session of the product on loopback: what is granted, what the worker is told, what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.methods.negotiation import Grant
from probe.methods.schedule import SECOND_NS, StreamSpec, schedule
from probe.metrics import NEVER, Rows, Stamp
from probe.net.address import Address
from probe.net.job import JobResult, MediaJob

CALL_NS = 20_000_000
"""Interval of a voice call."""
PACKET_BYTES = 200
SEED = 1
TOKEN = bytes(range(16))
"""The same in every round, so that packets prepared once fit all of them."""


def calls(count: int, seconds: float, *, interval_ns: int = CALL_NS) -> StreamSpec:
    """`count` voice calls whose packets have 200 bytes on average."""
    bitrate = PACKET_BYTES * 8 * SECOND_NS // interval_ns
    return StreamSpec("voice", count, int(seconds * SECOND_NS), bitrate, interval_ns)


def packets_a_stream(spec: StreamSpec) -> int:
    return schedule(spec, np.random.default_rng(SEED)).packets


def grant_for(spec: StreamSpec, number: int, *, packets: int | None = None) -> Grant:
    """What a node with room for everything would grant session `number`."""
    packets = packets or packets_a_stream(spec)
    seconds = spec.duration_ns / SECOND_NS
    return Grant(
        transport="udp",
        streams=spec.calls,
        packets=packets,
        packet_bytes=1200,
        rate_pps=spec.calls * packets / seconds,
        rate_bps=spec.calls * spec.bitrate_bps,
        duration_ms=int(seconds * 1000),
        one_way=spec.one_way,
        nack=False,
        deadline_ms=200,
        session=number,
        token=TOKEN,
        ssrc_base=((number + 70) % 1000) << 20,
    )


def job_for(spec: StreamSpec, grant: Grant, address: Address, *, plain: bool = False) -> MediaJob:
    """What the worker is told."""
    return MediaJob(
        transport="udp",
        address=address,
        session=grant.session,
        token=grant.token,
        ssrc_base=grant.ssrc_base,
        spec=spec,
        packets=grant.packets,
        rows=grant.streams * grant.packets,
        seed=SEED,
        nack=grant.nack,
        deadline_ns=grant.deadline_ms * 1_000_000,
        server_name=address[0],
        fingerprint=None,
        cafile=None,
        plain=plain,
    )


@dataclass(frozen=True, slots=True)
class Usage:
    """One process between two moments within the sending (monotonic clock)."""

    begin_ns: int
    end_ns: int
    cpu_ns: float
    anonymous_bytes: int
    """Resident at the second moment."""
    shared_bytes: int
    anonymous_growth: int

    def packets(self, rows: Rows) -> int:
        """How many packets left in the meantime."""
        return int(np.count_nonzero((rows["sent_ns"] >= self.begin_ns) & (rows["sent_ns"] < self.end_ns)))

    def cpu_us_a_packet(self, rows: Rows) -> float:
        return self.cpu_ns / max(self.packets(rows), 1) / 1e3


@dataclass(frozen=True, slots=True)
class Exchange:
    """A finished session."""

    rows: Rows
    result: JobResult
    client: Usage
    node: Usage | None
    node_report: dict[str, int]

    @property
    def unsent(self) -> int:
        return int(np.count_nonzero(self.rows["unsent"]))

    @property
    def lost(self) -> int:
        """Sent and not come back."""
        return int(np.count_nonzero((self.rows["unsent"] == 0) & (self.rows["received_ns"] == NEVER)))

    @property
    def self_inflicted(self) -> int:
        """Every packet that did not come back: on loopback all loss is our own."""
        return self.unsent + self.lost

    def lateness_us(self) -> NDArray[np.float64]:
        """How far from its due time each packet reached the node's kernel."""
        rows = self.rows[self.rows["node_received_ns"] != NEVER]
        late: NDArray[np.float64] = np.abs(rows["node_received_ns"] - rows["scheduled_ns"]) / 1e3
        return late

    def round_trip_us(self, stamps: Stamp) -> NDArray[np.float64]:
        """Round trips without the node's residence, of packets whose stamps are the kernel's as asked."""
        rows = self.rows
        rows = rows[(rows["received_ns"] != NEVER) & ((rows["stamps"] & stamps) == stamps)]
        away, held = rows["received_ns"] - rows["sent_ns"], rows["node_sent_ns"] - rows["node_received_ns"]
        trips: NDArray[np.float64] = (away - held) / 1e3
        return trips
