"""The clocks of this machine: where they come from, and whether somebody keeps the wall clock right."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

from probe.net.clock import LINUX, wall_offset
from probe.records import Json

_UNSYNCHRONISED = 0x40
_TRIES = 32
_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


class _Timex(ctypes.Structure):
    """struct timex up to what is read, adjtimex(2); the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("largest_error_us", ctypes.c_long),
        ("estimated_error_us", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_byte * 256),
    )


def clock_facts() -> Json:
    """`source`, `synchronised`, `largest_error_ms` (the kernel's bound), and the bracket in which both clocks
    were read, the narrowest of n tries. None where the system does not tell."""
    source = None
    with suppress(OSError):
        source = _SOURCE.read_text().strip()
    synchronised, error_ms = _kept_right()
    return {
        "source": source,
        "synchronised": synchronised,
        "largest_error_ms": error_ms,
        "bracket_us": wall_offset(_TRIES).bracket_ns / 1e3,
        "bracket_n": _TRIES,
    }


def _kept_right() -> tuple[bool | None, float | None]:
    if not LINUX:
        return None, None
    asked = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked)) < 0:
        return None, None
    synchronised = not asked.status & _UNSYNCHRONISED
    return synchronised, asked.largest_error_us / 1e3 if synchronised else None
