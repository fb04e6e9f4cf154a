"""Monotonic time, the wall clock beside it, and waiting until an exact instant."""

from __future__ import annotations

import ctypes
import gc
import os
import select
import struct
import sys
import time
from typing import NamedTuple

LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_TIMERSLACK = 29
_POLLIN = 1
_CLOCK_MONOTONIC, _TIMER_ABSTIME = 1, 1
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _MAPPED_BYTES, _READY_BYTES = 64 << 20, 32 << 20, 8 << 20
SLICE_NS = 500_000
"""Time slice of a packet loop: about as long as one round of it takes. Others have some milliseconds."""

monotonic_ns = time.monotonic_ns


class WallOffset(NamedTuple):
    """CLOCK_REALTIME minus CLOCK_MONOTONIC, and the width of the bracket it was read in."""

    offset_ns: int
    bracket_ns: int


def wall_offset(tries: int = 4) -> WallOffset:
    """Read both clocks in one bracket; the narrowest of some tries, so that a preemption in between does
    not pass as a clock step."""
    best = WallOffset(0, 1 << 62)
    for _ in range(tries):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if after - before < best.bracket_ns:
            best = WallOffset(wall - (before + after) // 2, after - before)
    return best


class WallClock:
    """The wall clock, of kernel stamps, beside the monotonic one, of everything else.

    Between steps the two are a constant apart: NTP slews both alike. So the distance is measured well once,
    which keeps its error out of every difference of two stamps, and only watched from then on.
    """

    NOTICED_NS = 50_000
    """Two readings so far apart from each other are looked at again."""
    STEP_NS = 20_000

    def __init__(self) -> None:
        self.offset_ns = wall_offset(32).offset_ns
        self.largest_step_ns = 0
        """Signed; 0 when nobody stepped it since the start or the last `take_step`."""

    def look(self) -> int:
        """The present offset; notices a step."""
        apart = time.time_ns() - time.monotonic_ns()
        if abs(apart - self.offset_ns) > self.NOTICED_NS:
            now = wall_offset(16)
            step = now.offset_ns - self.offset_ns
            if abs(step) > self.STEP_NS + now.bracket_ns:
                self.offset_ns = now.offset_ns
                if abs(step) > abs(self.largest_step_ns):
                    self.largest_step_ns = step
        return self.offset_ns

    def take_step(self) -> int:
        """The largest step since the last time."""
        step, self.largest_step_ns = self.largest_step_ns, 0
        return step


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

    def wait(self, until_ns: int) -> bool:
        """Return when a descriptor is readable (or has an error to tell), which is True, or when
        `monotonic_ns()` reaches `until_ns`."""
        left = until_ns - time.monotonic_ns()
        if left <= 0:
            return False
        if self._ppoll is None:
            return bool(select.select(self._fds, [], [], left / 1e9)[0])
        self._timeout.sec, self._timeout.nsec = divmod(min(left, 3_600_000_000_000), 1_000_000_000)
        return bool(self._ppoll(self._poll, len(self._fds), ctypes.byref(self._timeout), None) > 0)

    def readable(self) -> bool:
        """Whether a descriptor is readable now."""
        return bool(select.select(self._fds, [], [], 0)[0])


class Alarm:
    """Waits for an exact instant: wakes a little early, then sleeps or (`spin_ns`, at most so long) looks at the
    clock for the rest.

    A sleeper is woken late, by more the longer it slept: a processor that had nothing to do takes its time.
    How late is learned, and a second, short sleep from there is punctual to some microseconds. It looks at the
    clock only after a sleep of four times as long: a real-time process that never sleeps is stopped by the
    kernel for 50 ms of each second (sched(7), RT throttling).
    """

    MIN_LEAD_NS, MAX_LEAD_NS = 20_000, 400_000
    LATER_NS, SOONER_NS = 16_000, 2_000
    """How the lead follows what is seen: one wake-up in nine is later than it."""
    NEAR_NS = 80_000
    """A lead so short is waited through awake: a sleep costs the processor about as much, and where others compute,
    who sleeps again just after it was woken may be woken by the system's next tick only (in 3 of 100 waits, 4 ms)."""

    def __init__(self, *fds: int, spin_ns: int = 0) -> None:
        self._longest_lead_ns = max(min(spin_ns or self.MAX_LEAD_NS, self.MAX_LEAD_NS), self.MIN_LEAD_NS)
        self.lead_ns = min(4 * self.MIN_LEAD_NS, self._longest_lead_ns)
        self._listening, self._deaf = Waiter(*fds), Waiter()
        self._spin = spin_ns > 0
        self._at = _Timespec()
        self._sleep = getattr(_libc, "clock_nanosleep", None)

    def wait(self, until_ns: int, *, listen: bool = True, exact: bool = True) -> bool:
        """Return at `until_ns`, or, which is True, sooner if a descriptor is readable (while it listens).

        Where about then will do (not `exact`), the second sleep is saved.
        """
        waiter = self._listening if listen else self._deaf
        early_ns = until_ns - self.lead_ns
        begun_ns = now_ns = monotonic_ns()
        if now_ns < early_ns:
            if waiter.wait(early_ns):
                return True
            now_ns = monotonic_ns()
            late = now_ns - early_ns > self.lead_ns
            lead = self.lead_ns + (self.LATER_NS if late else -self.SOONER_NS)
            self.lead_ns = min(max(lead, self.MIN_LEAD_NS), self._longest_lead_ns)
            if not exact:
                return False
        if now_ns >= until_ns:
            return False
        awake = self._spin or (not listen and self.lead_ns <= self.NEAR_NS)
        if awake and until_ns - begun_ns > 5 * self.lead_ns:
            while monotonic_ns() < until_ns:
                pass
        elif listen or self._sleep is None:
            return waiter.wait(until_ns)
        else:
            self._at.sec, self._at.nsec = divmod(until_ns, 1_000_000_000)
            self._sleep(_CLOCK_MONOTONIC, _TIMER_ABSTIME, ctypes.byref(self._at), None)
        return False


def be_punctual(*, collecting: bool = False) -> None:
    """Prepare this process for an absolute schedule: no timer slack, no cycle collector, a short time slice, memory
    that is there.

    One that lives for long and makes cycles is `collecting`: its collector passes over all that is there by now,
    which would take it milliseconds.
    """
    if collecting:
        gc.collect()
        gc.freeze()
    else:
        gc.disable()
        _keep_memory()
    if LINUX:
        _libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
        _ask_for_short_slices()


def _keep_memory() -> None:
    """Have some megabytes at hand, and give none back (glibc): else the arrays of every round are taken from the system
    and returned to it, at a page fault for each 4 KiB."""
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        bytearray(_READY_BYTES)


def _ask_for_short_slices() -> None:
    """Of the ordinary scheduler (Linux 6.12 and later; refused or ignored before): who runs for a moment only is let in
    at once where others compute for long. It takes no permission and gives no larger share."""
    call = _SCHED_SETATTR.get(os.uname().machine)
    if call is not None and os.sched_getscheduler(0) == os.SCHED_OTHER:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        attributes = struct.pack("=IIQiIQQQ", 48, os.SCHED_OTHER, 0, nice, 0, SLICE_NS, 0, 0)
        _libc.syscall(call, 0, attributes, 0)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when process `parent` ends (Linux; elsewhere EOF on the pipe does)."""
    if LINUX:
        import signal

        _libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # there is nothing to tidy up, and a stopped one ends, too
        if os.getppid() != parent:  # it has ended already; in a container it may well be process 1
            sys.exit(0)
