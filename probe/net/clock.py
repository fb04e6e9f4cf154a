"""Monotonic time, the wall clock beside it, and waiting until an exact instant."""

from __future__ import annotations

import ctypes
import os
import select
import sys
import time
from typing import NamedTuple

LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_TIMERSLACK = 29
_POLLIN = 1

monotonic_ns = time.monotonic_ns


class WallOffset(NamedTuple):
    """CLOCK_REALTIME minus CLOCK_MONOTONIC, and the width of the bracket it was read in."""

    offset_ns: int
    bracket_ns: int


def wall_offset() -> WallOffset:
    """Read both clocks in one bracket; the narrowest of up to four tries, so that a preemption in
    between does not pass as a clock step."""
    best = WallOffset(0, 1 << 62)
    for _ in range(4):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if after - before < best.bracket_ns:
            best = WallOffset(wall - (before + after) // 2, after - before)
        if best.bracket_ns < 5_000:
            break
    return best


class _Timespec(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_long), ("nsec", ctypes.c_long))


class _Pollfd(ctypes.Structure):
    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


class Waiter:
    """Waits for readable descriptors or an instant, to the nanosecond where the system has ppoll."""

    def __init__(self, *fds: int) -> None:
        self._fds = fds
        self._poll = (_Pollfd * len(fds))(*[_Pollfd(fd, _POLLIN, 0) for fd in fds])
        self._timeout = _Timespec()
        self._ppoll = getattr(_libc, "ppoll", None)

    def wait(self, until_ns: int) -> None:
        """Return when a descriptor is readable or `monotonic_ns()` reaches `until_ns`."""
        left = until_ns - time.monotonic_ns()
        if left <= 0:
            return
        if self._ppoll is None:
            select.select(self._fds, [], [], left / 1e9)
            return
        self._timeout.sec, self._timeout.nsec = divmod(min(left, 3_600_000_000_000), 1_000_000_000)
        self._ppoll(self._poll, len(self._fds), ctypes.byref(self._timeout), None)

    def readable(self) -> bool:
        """Whether a descriptor is readable now."""
        return bool(select.select(self._fds, [], [], 0)[0])


def be_punctual() -> None:
    """Prepare this process for an absolute schedule: no timer slack, no cycle collector."""
    import gc

    gc.disable()
    if LINUX:
        _libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when process `parent` ends (Linux; elsewhere EOF on the pipe does)."""
    if LINUX:
        import signal

        _libc.prctl(1, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it has ended already; in a container it may well be process 1
            sys.exit(0)
