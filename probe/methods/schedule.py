"""When which packet is due: the real burst shapes of voice, video and live streams.

A schedule is arrays, made once before the stream starts; sending is then a search in a sorted array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from probe.metrics import Times
from probe.wire.media import MAX_PACKET_BYTES, MIN_PACKET_BYTES, PT_AUDIO, PT_VIDEO

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """A scenario's stream as asked for.

    `bitrate_bps` counts RTP packets (header and payload, RFC 3550 6.2 without UDP/IP); `interval_ns` is
    20 ms of audio or one frame; `keyframe_ns` the distance of keyframes, 0 for none.
    """

    preset: str  # "voice" | "video" | "live"
    calls: int
    duration_ns: int
    bitrate_bps: int
    interval_ns: int
    keyframe_ns: int = 0
    one_way: bool = False

    @property
    def audio(self) -> bool:
        return self.preset == "voice"

    @property
    def payload_type(self) -> int:
        return PT_AUDIO if self.audio else PT_VIDEO

    @property
    def clock_rate(self) -> int:
        """RTP timestamp units a second (RFC 7587 4.1: Opus 48 kHz; RFC 3551 5: video 90 kHz)."""
        return 48_000 if self.audio else 90_000


DEFAULT_BITRATES = {"voice": 40_000, "video": 1_200_000, "live": 2_500_000}


def stream_spec(
    preset: str, *, calls: int = 1, duration_ns: int, bitrate_bps: int | None = None
) -> StreamSpec:
    """The stream of a preset: voice 20 ms packets; video 30 fps; live 30 fps, uplink only."""
    bitrate = bitrate_bps or DEFAULT_BITRATES[preset]
    if preset == "voice":
        return StreamSpec(preset, calls, duration_ns, bitrate, 20_000_000)
    frame_ns = SECOND_NS // 30
    return StreamSpec(
        preset, calls, duration_ns, bitrate, frame_ns, keyframe_ns=2 * SECOND_NS, one_way=preset == "live"
    )


class Schedule(NamedTuple):
    """The packets of one stream (every stream of a session has the same), and how streams are spread."""

    time_ns: Times
    """(packets,) due time after the stream's start, non-decreasing."""
    size: NDArray[np.uint16]
    """(packets,) bytes of the RTP packet."""
    marker: NDArray[np.bool_]
    """(packets,) RTP marker: first packet of a talk spurt (audio), last of a frame (video)."""
    timestamp: NDArray[np.uint32]
    """(packets,) RTP timestamp after the stream's start."""
    offset_ns: Times
    """(calls,) start of each stream after the session's: spread over one interval, not in one clump."""

    @property
    def packets(self) -> int:
        return len(self.time_ns)

    def first(self, packets: int) -> Schedule:
        """The same stream cut after `packets`."""
        return Schedule(
            self.time_ns[:packets],
            self.size[:packets],
            self.marker[:packets],
            self.timestamp[:packets],
            self.offset_ns,
        )


def schedule(spec: StreamSpec, rng: np.random.Generator) -> Schedule:
    """Lay out the packets of `spec`. Sizes vary as an encoder's do; `rng` draws them.

    Raises ValueError when not one packet fits the duration.
    """
    intervals = spec.duration_ns // spec.interval_ns
    if intervals < 1:
        raise ValueError(
            f"a {spec.preset} stream of {spec.duration_ns / 1e6:g} ms has no packet: "
            f"one is due every {spec.interval_ns / 1e6:g} ms"
        )
    offsets = (np.arange(spec.calls, dtype=np.int64) * spec.interval_ns) // spec.calls
    start = np.arange(intervals, dtype=np.int64) * spec.interval_ns
    ticks = (start * spec.clock_rate // SECOND_NS).astype(np.uint32)
    mean = spec.bitrate_bps / 8 * spec.interval_ns / SECOND_NS
    if spec.audio:
        # Opus VBR varies by some 20 % about its mean (RFC 7587 3.1.2).
        drawn = np.clip(rng.normal(mean, mean / 5, intervals), MIN_PACKET_BYTES, MAX_PACKET_BYTES)
        return Schedule(start, drawn.astype(np.uint16), np.arange(intervals) == 0, ticks, offsets)
    packets, sizes, last = _frames(spec, mean, int(intervals), rng)
    frame = np.repeat(np.arange(intervals), packets)
    return Schedule(start[frame], sizes, last, ticks[frame], offsets)


def _frames(
    spec: StreamSpec, mean: float, frames: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.bool_]]:
    """Packets a frame, bytes of each packet, and which is its frame's last.

    A keyframe is five times a delta frame; the sum keeps the bitrate.
    """
    every = max(1, round(spec.keyframe_ns / spec.interval_ns)) if spec.keyframe_ns else frames + 1
    weight = np.where(np.arange(frames) % every == 0, 5.0, 1.0) * rng.normal(1.0, 0.15, frames).clip(0.5, 1.5)
    size = np.maximum(weight * mean * frames / weight.sum(), MIN_PACKET_BYTES)
    packets = np.ceil(size / MAX_PACKET_BYTES).astype(np.int64)
    share = np.maximum(size / packets, MIN_PACKET_BYTES).astype(np.uint16)
    ends = np.cumsum(packets) - 1
    last = np.zeros(int(packets.sum()), np.bool_)
    last[ends] = True
    return packets, np.repeat(share, packets), last
