"""The process that starts a program in another network, and ends with it everything that it has started.

It is the program's parent, and adopts whoever of its descendants loses theirs; so it finds them all. It has left
the terminal's process group, in which the program stays: keys go to the program, and a killed group leaves
somebody to clear up. When `probe` ends, however it ends, the pipe to it is closed, and the program is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from probe.net.netns import CLONE_NEWNS, be_user_again, enter
from probe.net.pipe import Pipe, PipeClosed

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_MS_BIND, _MS_REC, _MS_PRIVATE, _MNT_DETACH = 4096, 16384, 1 << 18, 2
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class ProgramOrder:
    """What to run, as whom. `resolver`: what is to be read in /etc/resolv.conf, if not what the host has there."""

    arguments: tuple[str, ...]
    environ: dict[str, str]
    uid: int
    gid: int
    resolver: str | None


def main() -> None:
    """`python -m probe.net.program FD`: the first message on the pipe is the order, with the program's network and
    user namespace. Answers: "started" or an OSError, then the status of the program that has ended."""
    pipe = Pipe(socket.socket(fileno=int(sys.argv[1])))
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    order, fds = pipe.receive()
    try:
        for fd, kind in zip(reversed(fds), (CLONE_NEWUSER, CLONE_NEWNET)[2 - len(fds) :], strict=True):
            enter(fd, kind)
            os.close(fd)
        if order.resolver:
            _resolve_by(order.resolver)
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        program = _start(order)
    except OSError as error:
        pipe.send(error)
        return
    os.setsid()
    with contextlib.suppress(PipeClosed):
        pipe.send("started")
        pipe.send(_attend(pipe, program))
    _end_all()


def _start(order: ProgramOrder) -> int:
    """The program's process; OSError if it cannot be executed."""
    told, tell = os.pipe()  # closed on exec
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            be_user_again(order.uid, order.gid)
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() == parent:
                os.execvpe(order.arguments[0], order.arguments, order.environ)  # noqa: S606 (no shell is wanted)
        except OSError as error:
            os.write(tell, str(error.errno or 1).encode())
        except BaseException as error:  # noqa: BLE001 (two processes must not go on from here)
            os.write(tell, b"1")
            sys.stderr.write(f"{error}\n")
        os._exit(127)
    os.close(tell)
    with os.fdopen(told, "rb") as failure:
        code = failure.read()
    if code:
        os.waitpid(child, 0)
        raise OSError(int(code), os.strerror(int(code)))
    return child


def _attend(pipe: Pipe, program: int) -> int:
    """Pass signals on until the program has ended; its status as `waitpid` gives it. Raises PipeClosed."""
    import selectors

    awake, wake = socket.socketpair()
    for end in (awake, wake):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    selector.register(awake, selectors.EVENT_READ)
    selector.register(pipe.fileno(), selectors.EVENT_READ)
    while True:
        while (found := _ended()) is not None:
            if found[0] == program:
                return found[1]
        for key, _ in selector.select():
            if key.fileobj is awake:
                awake.recv(4096)
            else:
                order, _ = pipe.receive()
                if order == "stop":
                    raise PipeClosed
                with contextlib.suppress(OSError):
                    os.kill(program, order)


def _ended() -> tuple[int, int] | None:
    """A child that has ended, and how; None if there is none."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _end_all() -> None:
    """Kill all descendants: those that lose their parent become our children, and are next."""
    while True:
        for pid in _children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """Our own, whoever they were born to."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with contextlib.suppress(OSError):  # ended meanwhile
                parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
                found += [int(place.name)] if int(parent) == os.getpid() else []
    return found


def _resolve_by(text: str) -> None:
    """Have /etc/resolv.conf read so from now on; where mounting is forbidden it stays as it is.

    The file is in a memory of its own: nothing is left of it.
    """
    if _libc.unshare(CLONE_NEWNS):
        return
    _libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None)
    if _libc.mount(b"none", b"/tmp", b"tmpfs", 0, None):
        return
    file = Path("/tmp/resolv.conf")  # noqa: S108 (nobody else sees this folder)
    file.write_text(text)
    _libc.mount(bytes(file), b"/etc/resolv.conf", None, _MS_BIND, None)
    _libc.umount2(b"/tmp", _MNT_DETACH)


if __name__ == "__main__":
    main()
