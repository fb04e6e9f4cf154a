"""The clock rate of an RTP stream: known, told, or as well as it can be guessed; and the time it makes of stamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from probe.analysis.delay import Integers
from probe.metrics import Times

SECOND_NS = 1_000_000_000
STATIC_HZ = {
    **dict.fromkeys((0, 3, 4, 5, 7, 8, 9, 12, 13, 15, 18), 8000),
    **dict.fromkeys((14, 25, 26, 28, 31, 32, 33, 34), 90000),
    6: 16000,
    10: 44100,
    11: 44100,
    16: 11025,
    17: 22050,
}
"""Clock rates of the static payload types (RFC 3551 6, tables 4 and 5)."""

_NAMES = (
    "PCMU 0, GSM 3, G723 4, DVI4 5, DVI4 6, LPC 7, PCMA 8, G722 9, L16 10, L16 11, QCELP 12, CN 13, MPA 14, G728 15, "
    "DVI4 16, DVI4 17, G729 18, CelB 25, JPEG 26, nv 28, H261 31, MPV 32, MP2T 33, H263 34"
)
STATIC_NAMES = {int(number): name for name, number in (pair.split() for pair in _NAMES.split(", "))}
"""Their names, in the same tables."""

USUAL_HZ = np.array([8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 90000, 96000])
LONGEST_STEP = 10 * 96000
"""A larger step of the stamps is a sender that began anew, not time."""
NEAR = 0.05
"""Within this share of a usual rate an estimate is taken to be that rate."""

ClockSource = Literal["payload_type", "option", "rtcp", "estimated", "assumed"]


@dataclass(frozen=True, slots=True)
class Clock:
    """`source`: the static payload type, `--clock`, the sender's own reports, the arrivals; or nothing at all
    was there to tell it by, and it is that of telephony."""

    hz: int
    source: ClockSource


def clock_of(
    types: Integers,
    timestamp: NDArray[np.uint32],
    received_ns: Times,
    told_hz: int | None,
    sender_hz: float | None,
) -> Clock:
    """A static payload type is certain; what the user says comes next, then the sender, then the arrivals."""
    counted = np.bincount(types)
    usual = int(counted.argmax())
    if usual in STATIC_HZ:
        return Clock(STATIC_HZ[usual], "payload_type")
    if told_hz is not None:
        return Clock(told_hz, "option")
    if sender_hz is not None and sender_hz >= 1:
        return Clock(_usual(sender_hz), "rtcp")
    step = np.diff(timestamp).view(np.int32).astype(np.int64)
    near = np.abs(step) <= LONGEST_STEP
    ticks, elapsed_ns = int(step[near].sum()), int(np.diff(received_ns)[near].sum())
    if ticks > 0 and elapsed_ns > 0:
        return Clock(max(1, _usual(ticks * SECOND_NS / elapsed_ns)), "estimated")
    return Clock(8000, "assumed")


def _usual(hz: float) -> int:
    nearest = int(USUAL_HZ[np.abs(np.log(USUAL_HZ / hz)).argmin()])
    return nearest if abs(nearest / hz - 1) <= NEAR else round(hz)


def media_ns(stamp: Integers, hz: int) -> Times:
    """Time by the stamps from the first one on; seconds apart from the rest, for 64 bits."""
    seconds, rest = np.divmod(stamp - stamp[0], hz)
    times: Times = seconds * SECOND_NS + rest * SECOND_NS // hz
    return times
