"""Our own helper processes: the packet loops, the relay, emulated nodes.

Each is a fresh interpreter that runs one entry point with a `Pipe` to its parent. It ignores the
terminal's Ctrl-C (the parent decides) and ends when the parent does.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import socket
import subprocess
import sys
from typing import Any

from probe.errors import NotMeasured
from probe.net.pipe import Pipe, PipeClosed

_REAP_S = 0.5
"""A process that ended closes its pipe a moment before its exit code is there."""


class Child:
    """The parent's handle. `await receive()` for what it reports; `stop()` ends it, by pid, in any case."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: Pipe, entry: str) -> None:
        self._process, self._pipe, self._entry = process, pipe, entry

    @classmethod
    def start(cls, entry: str) -> Child:
        """Start `package.module:function` in a new interpreter."""
        return cls(*spawn(entry), entry)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Any, fds: tuple[int, ...] = ()) -> None:
        """Raises NotMeasured when the process is gone."""
        try:
            self._pipe.send(message, fds)
        except PipeClosed:
            raise self._ended() from None

    async def receive(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109 (a plain bound)
        """The next message; raises NotMeasured when the process ended, TimeoutError when it says nothing."""
        return (await self.receive_with_fds(timeout))[0]

    async def receive_with_fds(self, timeout: float | None = None) -> tuple[Any, list[int]]:  # noqa: ASYNC109
        """As `receive`, and the descriptors that came with it."""
        loop = asyncio.get_running_loop()
        if not self._pipe.holds_message:
            readable = loop.create_future()

            def on_readable() -> None:
                if not readable.done():
                    readable.set_result(None)

            fd = self._pipe.fileno()
            loop.add_reader(fd, on_readable)
            try:
                await asyncio.wait_for(readable, timeout)
            finally:
                loop.remove_reader(fd)  # by number: the pipe may be closed by now
        try:
            return self._pipe.receive()
        except PipeClosed:
            raise self._ended() from None

    def _ended(self) -> NotMeasured:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_S)
        code = self._process.returncode
        how = "ended" if code is None else f"ended with {signal_name(code)}"
        return NotMeasured(f"our own process {self._process.pid} ({self._entry}) {how}")

    def kill(self) -> None:
        """End it now, whatever it is doing."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, and see to it."""
        with contextlib.suppress(PipeClosed):
            self._pipe.send("stop")
        self._pipe.close()
        try:
            await asyncio.to_thread(self._process.wait, 2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)


def spawn(entry: str) -> tuple[subprocess.Popen[bytes], Pipe]:
    """Start `package.module:function` in a new interpreter; the process, and the pipe to it."""
    mine, its = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-m", "probe.net.process", entry, str(its.fileno()), str(os.getpid())],
        pass_fds=(its.fileno(),),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    its.close()
    return process, Pipe(mine)


def signal_name(code: int) -> str:
    """How a process ended, in words."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def main() -> None:
    """Entry of every child: `python -m probe.net.process package.module:function FD PARENT-PID`."""
    from probe.net.clock import die_with_parent

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(int(sys.argv[3]))
    module, _, function = sys.argv[1].partition(":")
    pipe = Pipe(socket.socket(fileno=int(sys.argv[2])))
    with contextlib.suppress(PipeClosed):
        getattr(importlib.import_module(module), function)(pipe)


if __name__ == "__main__":
    main()
