"""Foreign programs as children: bounded in time, ended by pid, pinned and timed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from bench.comparison import Skipped
from bench.priority import prefer

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ran to its end: what it printed and the CPU time it took, all threads."""

    stdout: str
    cpu_ns: float


def require(program: str) -> str:
    """The path of a program; raises Skipped when it is not installed."""
    path = shutil.which(program)
    if path is None:
        raise Skipped(f"{program} is not installed")
    return path


@contextmanager
def pinned(cpu: int | None) -> Iterator[None]:
    """Children started inside run on this CPU only (modulo those we have); None leaves them free."""
    if cpu is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[cpu % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(
    *command: str, cpu: int | None = None, fds: tuple[int, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A child for the length of the block; it is ended by its pid if it has not ended by itself."""
    with pinned(cpu):
        child = subprocess.Popen(
            command,
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # as the product's processes are: the kernel shares out CPU time by session
        )
    prefer(child.pid)
    try:
        yield child
    finally:
        end(child)


def end(child: subprocess.Popen[str]) -> None:
    """SIGTERM, then SIGKILL, to this pid alone."""
    if child.poll() is None:
        child.terminate()
        try:
            child.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
    for stream in (child.stdout, child.stderr):
        if stream:
            stream.close()


def finish(child: subprocess.Popen[str], timeout: float) -> str:
    """Wait for the child's own end; what it printed. Raises RuntimeError when it fails or takes too long."""
    try:
        stdout, stderr = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{child.args!r} did not end in {timeout:g} s") from None
    if child.returncode:
        raise RuntimeError(f"{child.args!r} ended with {child.returncode}: {stderr.strip()[-200:]}")
    return stdout


def run(*command: str, timeout: float, cpu: int | None = None, fds: tuple[int, ...] = ()) -> Finished:
    """Run a program to its end."""
    before = getrusage(RUSAGE_CHILDREN)
    with running(*command, cpu=cpu, fds=fds) as child:
        stdout = finish(child, timeout)
    after = getrusage(RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Finished(stdout, seconds * 1e9)


def cpu_ns(pid: int) -> int:
    """CPU time of all threads of a running process, so far."""
    clock = ctypes.c_int()
    if _libc.clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise RuntimeError(f"process {pid} has ended")
    return time.clock_gettime_ns(clock.value)


def resident_bytes(pid: int) -> dict[str, int]:
    """Memory of a process that is in use now: `anonymous`, and `shared` that we made for it."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    anonymous, shared = (int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem"))
    return {"anonymous": anonymous, "shared": shared}


@contextmanager
def every_cpu_busy() -> Iterator[None]:
    """A process that only computes on each CPU, for the length of the block."""
    with ExitStack() as stack:
        for cpu in range(len(os.sched_getaffinity(0))):
            stack.enter_context(running(sys.executable, "-c", "while True: pass", cpu=cpu))
        time.sleep(0.1)
        yield
