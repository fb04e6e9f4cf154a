"""What one interruption did to a stream, as a value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from probe.records import Json


@dataclass(frozen=True, slots=True)
class Event:
    """An interruption of one direction. Milliseconds; `started_ms` after the session's first packet was due.

    `kind`: `drop` or `hold` of our own, or `loss`. `by_loss_ms` is the packets lost or never sent over the planned rate (RFC
    6412 3.6.3), `by_time_ms` from the last arrival before to the first after (RFC 6201 2), None where too little
    was offered to tell; `agree`: within a packet and the usual variation. `time_to_recover_ms` and `ramp_t90_ms` are
    infinite if not good again within `observed_ms` (the end, or the next event). `unsent` counts what the sender
    gave up from the start on, `limited_ms` how long after the end it last did. `catch_up_ms` is `detection_ms`,
    `repair_ms` and `drain_ms` together (`recovery_speed.CatchUp`); None where there was nothing to catch up with.
    """

    way: str
    source: str
    kind: str
    started_ms: float
    length_ms: float
    lost: int
    unsent: int
    by_loss_ms: float | None
    by_time_ms: float | None
    agree: bool | None
    time_to_recover_ms: float | None
    observed_ms: float
    catch_up_ms: float | None
    detection_ms: float | None
    repair_ms: float | None
    drain_ms: float | None
    ramp_t90_ms: float | None
    limited_ms: float | None

    def to_json(self) -> Json:
        infinite = [name for name in ("time_to_recover_ms", "ramp_t90_ms") if _infinite(getattr(self, name))]
        document: Json = {name: getattr(self, name) for name in self.__slots__}
        return document | dict.fromkeys(infinite) | {"infinite": infinite}


def _infinite(value: float | None) -> bool:
    return value is not None and math.isinf(value)
