"""Thresholds by scenario, so that nobody has to invent them: `thresholds: [preset: video-call]`.

The numbers are the "acceptable" column of the scenario table (quality.md 3.3) and the rows of the vendors'
own (3.1) as they can be asked of a packet stream; the source stands beside each. What fails a preset is
beyond acceptable, so a plan that wants more overrides a line: a later line with the same metric and scope
wins. Percentiles of `connect` are of sessions: a p50 needs 6, a p95 needs 59.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """An expression, how serious it is, and where its number comes from."""

    expr: str
    source: str
    severity: str = "gate"


@dataclass(frozen=True, slots=True)
class Preset:
    """`about` says what kind of service the limits are for."""

    about: str
    lines: tuple[Line, ...]


PRESETS: Mapping[str, Preset] = {
    "voice-room": Preset(
        "voice chat room, 50 packets/s, 200 ms of playout buffer",
        (
            Line("reachable >= 99%", "join within 5 s, XLA item 1"),
            Line("rtt.p50 < 300ms", "Y.1541 class 0, Twilio"),
            Line("rtt.p95 < 400ms", "Twilio Voice warns from 400 ms on"),
            Line("up.pdv.p99 < 100ms", "NetEq; Y.1541 has 50 ms"),
            Line("down.pdv.p99 < 100ms", "NetEq; Y.1541 has 50 ms"),
            Line("loss < 5%", "Agora marks 5 % as poor"),
            Line("up.residual < 2%", "E-model: G.711 with concealment stays above 4.0 up to 2 %"),
            Line("down.residual < 2%", "E-model: G.711 with concealment stays above 4.0 up to 2 %"),
            Line("connect.p50 < 3s", "proposal of this project", "warn"),
            Line("up.worst_loss_15s < 5%", "Agora marks 5 % as poor", "warn"),
            Line("down.worst_loss_15s < 5%", "Agora marks 5 % as poor", "warn"),
        ),
    ),
    "video-call": Preset(
        "one-to-one video call, 1.2 Mbit/s, 400 ms for a repair",
        (
            Line("reachable >= 99%", "join within 5 s, XLA item 1"),
            Line(
                "connect.p50 < 600ms", "the market claims below 600 ms as a best case; here the median has to"
            ),
            Line("rtt.p95 < 300ms", "Sinch warns from 300 ms on"),
            Line("up.residual < 1%", "proposal of this project"),
            Line("down.residual < 1%", "proposal of this project"),
            Line("up.worst_jitter_15s < 50ms", "Teams and Twilio have 30 ms", "warn"),
            Line("down.worst_jitter_15s < 50ms", "Teams and Twilio have 30 ms", "warn"),
            Line("up.recovery.p95 < 810ms", "2.5 round trips of 300 ms and 60 ms: libwebrtc's NACK", "warn"),
            Line(
                "down.recovery.p95 < 810ms", "2.5 round trips of 300 ms and 60 ms: libwebrtc's NACK", "warn"
            ),
        ),
    ),
    "live-commerce": Preset(
        "live commerce, the host's 2.5 Mbit/s up, 800 ms for a repair",
        (
            Line("reachable >= 99%", "join within 5 s, XLA item 1"),
            Line("up.loss < 3%", "the host's uplink reaches every viewer"),
            Line("up.residual < 0.5%", "proposal of this project"),
            Line("rtt.p95 < 400ms", "co-hosts; Agora's mark for a network delay"),
            Line("connect.p50 < 2s", "first picture, proposal of this project", "warn"),
            Line("peak_ratio(rtt.p95) < 1.2x", "the evening may be a fifth worse, proposal", "warn"),
        ),
    ),
    "game-voice": Preset(
        "game voice, 50 small packets/s, 100 ms of playout buffer: too short for a repair",
        (
            Line("reachable >= 99%", "join within 5 s, XLA item 1"),
            Line("rtt.p95 < 200ms", "G.114: interactive tasks want 100 ms one way"),
            Line("up.pdv.p99 < 60ms", "a buffer of 100 ms"),
            Line("down.pdv.p99 < 60ms", "a buffer of 100 ms"),
            Line("up.residual < 3%", "repair comes too late; what is lost stays so"),
            Line("down.residual < 3%", "repair comes too late; what is lost stays so"),
            Line("up.reordered < 0.5%", "Teams has 0.05 %"),
            Line("down.reordered < 0.5%", "Teams has 0.05 %"),
            Line("connect.p50 < 2s", "proposal of this project", "warn"),
        ),
    ),
    "teams": Preset(
        "Microsoft's network requirements, client to edge",
        (
            Line("rtt.p95 < 100ms", "Teams: round trip below 100 ms"),
            Line("up.worst_loss_15s < 1%", "Teams: below 1 % in any 15 s"),
            Line("down.worst_loss_15s < 1%", "Teams: below 1 % in any 15 s"),
            Line("up.worst_loss_200ms < 10%", "Teams: burst below 10 % in any 200 ms"),
            Line("down.worst_loss_200ms < 10%", "Teams: burst below 10 % in any 200 ms"),
            Line("up.worst_jitter_15s < 30ms", "Teams: below 30 ms in any 15 s"),
            Line("down.worst_jitter_15s < 30ms", "Teams: below 30 ms in any 15 s"),
            Line("up.reordered < 0.05%", "Teams: below 0.05 %"),
            Line("down.reordered < 0.05%", "Teams: below 0.05 %"),
        ),
    ),
}
"""By the name a plan gives."""
