"""A scenario: the stream to send and what counts as in time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from probe.methods.schedule import DEFAULT_BITRATES, StreamSpec, stream_spec
from probe.metrics import T_MAX_NS
from probe.plan.fields import Count, Duration, Flag, Rate, Strict, wrong
from probe.plan.scalars import format_duration, format_rate
from probe.wire.media import MIN_PACKET_BYTES

# Conversational voice and video play within a fifth and two fifths of a second; a live stream buffers more.
DEFAULT_DEADLINES_NS = {"voice": 200_000_000, "video": 400_000_000, "live": 1_000_000_000}
MOST_CALLS = 65_535  # the stream number of a packet record has 16 bits


def _not_zero(duration: int) -> int:
    if duration == 0:
        raise ValueError("a stream of 0s has no packet: write how long it lasts, such as 30s")
    return duration


class Recovery(Strict):
    """Which remedies against loss the stream uses."""

    nack: Flag = True


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

    @property
    def stream(self) -> StreamSpec:
        """The stream as the sender takes it."""
        return stream_spec(self.preset, calls=self.calls, duration_ns=self.duration, bitrate_bps=self.bitrate)
