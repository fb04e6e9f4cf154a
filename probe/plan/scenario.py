"""A scenario: the stream to send and what counts as in time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from probe.methods.parity import MOST_PACKETS
from probe.methods.protection import Protection
from probe.methods.schedule import DEFAULT_BITRATES, StreamSpec, stream_spec
from probe.metrics import T_MAX_NS
from probe.plan.fields import Count, Depth, Duration, Flag, Rate, Strict, wrong
from probe.plan.scalars import format_duration, format_rate
from probe.wire.flexfec import MAX_SPAN
from probe.wire.media import MAX_PACKET_BYTES, MIN_PACKET_BYTES
from probe.wire.red import BLOCK_HEADER_BYTES, LAST_HEADER_BYTES, MAX_OFFSET
from probe.wire.rtp import HEADER_BYTES

# Conversational voice and video play within a fifth and two fifths of a second; a live stream buffers more.
DEFAULT_DEADLINES_NS = {"voice": 200_000_000, "video": 400_000_000, "live": 1_000_000_000}
MOST_CALLS = 65_535  # the stream number of a packet record has 16 bits


def _not_zero(duration: int) -> int:
    if duration == 0:
        raise ValueError("a stream of 0s has no packet: write how long it lasts, such as 30s")
    return duration


class Parity(Strict):
    """One XOR repair packet (RFC 8627) for every `k` packets; with `interleave`, for every `k` packets that far apart,
    so that a burst of so many losses can be repaired."""

    k: Count
    interleave: Count = 1

    @model_validator(mode="after")
    def _is_possible(self) -> Parity:
        if self.k > MOST_PACKETS:
            raise wrong("k", f"a repair packet protects at most {MOST_PACKETS} packets (got {self.k})")
        span = (self.k - 1) * self.interleave + 1
        if span > MAX_SPAN:
            raise wrong(
                "interleave",
                f"the packets of a repair packet span {span} sequence numbers: at most {MAX_SPAN} (RFC 8627 4.2.2.1)",
            )
        if self.k == 1 and self.interleave > 1:
            raise wrong(
                "interleave", "with k: 1 every packet has a repair packet of its own: leave interleave out"
            )
        return self


class Recovery(Strict):
    """Which remedies against loss the stream uses, in both directions; `red` and `fec` over udp alone.

    `red` is how many earlier packets each packet repeats (RFC 2198).
    """

    nack: Flag = True
    red: Depth = 0
    fec: Parity | None = None

    @property
    def protection(self) -> Protection:
        """What leaves with the media."""
        if self.fec is None:
            return Protection(self.red)
        return Protection(self.red, self.fec.k, self.fec.interleave)


class Scenario(Strict):
    """A stream by preset. `calls` concurrent streams make one session.

    `bitrate` (bit/s of RTP packets) and `deadline` (playout, above the minimum delay) default to the preset's.
    """

    preset: Literal["voice", "video", "live"]
    calls: Count = 1
    duration: Annotated[Duration, AfterValidator(_not_zero)]
    bitrate: Rate = 0
    deadline: Duration = 0
    recovery: Recovery = Recovery()

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: object) -> object:
        """Write the preset's numbers where the plan gives none, so that what is stored is what is sent."""
        if not isinstance(data, dict) or data.get("preset") not in list(DEFAULT_BITRATES):
            return data
        preset = data["preset"]
        return {
            "bitrate": format_rate(DEFAULT_BITRATES[preset]),
            "deadline": format_duration(DEFAULT_DEADLINES_NS[preset]),
        } | data

    @model_validator(mode="after")
    def _has_packets(self) -> Scenario:
        spec = self.stream
        if self.duration < spec.interval_ns:
            raise wrong(
                "duration",
                f"{format_duration(self.duration)} is too short for one packet: "
                f"a {self.preset} stream sends every {spec.interval_ns / 1e6:.3g}ms",
            )
        if self.bitrate * spec.interval_ns < MIN_PACKET_BYTES * 8 * 1_000_000_000:
            least = -(-MIN_PACKET_BYTES * 8 * 1_000_000 // spec.interval_ns)
            raise wrong("bitrate", f"a {self.preset} stream needs {least}kbps or more for its packet headers")
        if not 0 < self.deadline < T_MAX_NS:
            raise wrong("deadline", "a deadline lies between 0s and 2s, after which a packet is lost")
        if self.calls > MOST_CALLS:
            raise wrong("calls", f"a session has at most {MOST_CALLS} calls")
        return self

    @model_validator(mode="after")
    def _has_room_for_red(self) -> Scenario:
        depth, spec = self.recovery.red, self.stream
        if not depth:
            return self
        if not spec.audio:
            raise wrong(
                "recovery",
                f"red repeats whole packets, which those of a {self.preset} stream are too long for "
                "(a block has at most 1023 bytes, RFC 2198 3): use fec",
            )
        most = MAX_OFFSET * 1_000_000_000 // (spec.clock_rate * spec.interval_ns)
        if depth > most:
            raise wrong(
                "recovery", f"red reaches back at most {most} packets of a {self.preset} stream (RFC 2198 3)"
            )
        mean = spec.bitrate_bps * spec.interval_ns // 8_000_000_000
        size = mean + LAST_HEADER_BYTES + depth * (mean - HEADER_BYTES + BLOCK_HEADER_BYTES)
        if size > MAX_PACKET_BYTES:
            raise wrong(
                "recovery",
                f"red: {depth} at {format_rate(spec.bitrate_bps)} makes packets of {size} bytes, "
                f"over {MAX_PACKET_BYTES}: repeat fewer",
            )
        return self

    @property
    def stream(self) -> StreamSpec:
        """The stream as the sender takes it."""
        return stream_spec(self.preset, calls=self.calls, duration_ns=self.duration, bitrate_bps=self.bitrate)
