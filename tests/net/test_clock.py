"""Two clocks a constant apart, and waiting until an instant."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.net import clock
from probe.net.clock import SLICE_NS, Alarm, Waiter, WallClock, monotonic_ns, wall_offset

MS = 1_000_000


def test_the_offset_is_the_narrowest_bracket() -> None:
    offset = wall_offset(16)
    assert offset.offset_ns + monotonic_ns() == pytest.approx(time.time_ns(), abs=50 * MS)
    assert 0 <= offset.bracket_ns < 50 * MS


def test_a_step_of_the_wall_clock_is_noticed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = WallClock()
    before = wall.offset_ns
    assert wall.look() == before
    assert wall.largest_step_ns == 0
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000 * MS)
    assert wall.look() == pytest.approx(before + 3_600_000 * MS, abs=MS)
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3_599_000 * MS)
    assert wall.look() == pytest.approx(before + 3_599_000 * MS, abs=MS)
    assert wall.largest_step_ns == pytest.approx(3_600_000 * MS, abs=MS)
    assert wall.take_step() == pytest.approx(3_600_000 * MS, abs=MS)
    assert wall.take_step() == 0


@pytest.mark.parametrize("spin_ns", [0, 100_000, 10 * MS])
@pytest.mark.parametrize("listen", [False, True])
def test_an_alarm_never_rings_early(spin_ns: int, listen: bool) -> None:
    alarm = Alarm(spin_ns=spin_ns)
    longest_ns = min(spin_ns or Alarm.MAX_LEAD_NS, Alarm.MAX_LEAD_NS)
    for ahead_ns in (0, 50_000, 300_000, 5 * MS, 5 * MS, 5 * MS):
        due_ns = monotonic_ns() + ahead_ns
        assert not alarm.wait(due_ns, listen=listen)
        assert monotonic_ns() >= due_ns
        assert Alarm.MIN_LEAD_NS <= alarm.lead_ns <= longest_ns


def test_what_is_readable_ends_a_wait_that_listens() -> None:
    mine, its = socket.socketpair()
    with mine, its:
        its.send(b"x")
        alarm, waiter = Alarm(mine.fileno()), Waiter(mine.fileno())
        until_ns = monotonic_ns() + 10_000 * MS
        assert alarm.wait(until_ns)
        assert waiter.wait(until_ns)
        assert waiter.readable()
        assert monotonic_ns() < until_ns
        assert not alarm.wait(monotonic_ns() + MS, listen=False)
        mine.recv(1)
        assert not waiter.readable()
        assert not waiter.wait(monotonic_ns() + MS)


_MEMORY = """
import resource
import numpy as np
from probe.net.clock import be_punctual
be_punctual()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    kept = [np.ones(300_000, np.uint8) for _ in range(10)]
    del kept
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_a_packet_loop_takes_its_memory_once() -> None:
    done = subprocess.run([sys.executable, "-c", _MEMORY], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100  # pages; one array alone has 73


_SCHEDULING = """
import ctypes, os, struct
from probe.net.clock import be_punctual
be_punctual()
told = ctypes.create_string_buffer(48)
ctypes.CDLL(None).syscall(int(os.environ["SCHED_GETATTR"]), 0, told, 48, 0)
_, policy, _, nice, _, runtime_ns, _, _ = struct.unpack("=IIQiIQQQ", told.raw)
print(policy, nice, runtime_ns)
"""


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="Linux's scheduler")
def test_a_packet_loop_asks_for_short_slices_and_for_no_larger_share() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCHEDULING],
        env=os.environ | {"SCHED_GETATTR": "315"},
        capture_output=True,
        text=True,
        check=True,
    )
    policy, nice, runtime_ns = (int(word) for word in done.stdout.split())
    assert (policy, nice) == (os.SCHED_OTHER, os.getpriority(os.PRIO_PROCESS, 0))
    major, minor = (int(part) for part in platform.release().split(".")[:2])
    if (major, minor) >= (6, 12):
        assert runtime_ns == SLICE_NS


_COLLECTING = """
import gc, sys
from probe.net.clock import be_punctual
be_punctual(collecting=sys.argv[1] == "collecting")
print(gc.isenabled(), gc.get_freeze_count() > 1000, open("/proc/self/timerslack_ns").read())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's timers")
@pytest.mark.parametrize(("mode", "told"), [("still", "False False 1"), ("collecting", "True True 1")])
def test_a_packet_loop_has_no_timer_slack_and_no_collector_that_holds_it_up(mode: str, told: str) -> None:
    command = [sys.executable, "-c", _COLLECTING, mode]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == told


class FakeTime:
    """A clock that a look at takes 1 us, and a sleep that ends `late_ns` late."""

    def __init__(self) -> None:
        self.now_ns = 10**9
        self.slept_ns = self.late_ns = 0

    def look(self) -> int:
        self.now_ns += 1000
        return self.now_ns

    def wait(self, until_ns: int) -> bool:
        slept_ns = max(until_ns + self.late_ns - self.now_ns, 0)
        self.now_ns, self.slept_ns = self.now_ns + slept_ns, self.slept_ns + slept_ns
        return False


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    waits=st.lists(st.tuples(st.integers(0, 3 * MS), st.integers(0, 300_000)), max_size=60),
    spin_ns=st.integers(0, MS),
)
def test_a_loop_that_looks_at_the_clock_sleeps_four_times_as_long(
    waits: list[tuple[int, int]], spin_ns: int
) -> None:
    """Otherwise the kernel would stop it for 50 ms of each second, as a real-time process (sched(7))."""
    fake = FakeTime()
    alarm = Alarm(spin_ns=spin_ns)
    alarm._deaf, alarm._sleep = fake, None  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "monotonic_ns", fake.look)
        for ahead_ns, fake.late_ns in waits:
            begun_ns, fake.slept_ns = fake.now_ns, 0
            alarm.wait(begun_ns + ahead_ns, listen=False)
            awake_ns = fake.now_ns - begun_ns - fake.slept_ns
            assert fake.now_ns >= begun_ns + ahead_ns
            assert awake_ns <= fake.slept_ns / 4 + 5000  # some looks at the clock beside


@pytest.mark.parametrize(
    ("lead_ns", "listen", "sleeps"),
    [(60_000, False, 1), (60_000, True, 2), (300_000, False, 2)],
    ids=["near", "listening", "far"],
)
def test_one_that_was_just_woken_does_not_sleep_again_for_a_moment(
    monkeypatch: pytest.MonkeyPatch, lead_ns: int, listen: bool, sleeps: int
) -> None:
    fake, slept = FakeTime(), []

    def wait(until_ns: int) -> bool:
        slept.append(until_ns)
        return fake.wait(until_ns)

    monkeypatch.setattr(clock, "monotonic_ns", fake.look)
    alarm = Alarm()
    alarm.lead_ns, alarm._sleep = lead_ns, None
    for waiter in (alarm._deaf, alarm._listening):
        monkeypatch.setattr(waiter, "wait", wait)
    due_ns = fake.now_ns + 20 * MS
    assert not alarm.wait(due_ns, listen=listen)
    assert len(slept) == sleeps
    assert due_ns <= fake.now_ns < due_ns + 5000
