"""A real node process on loopback, for `endpoint: emulated`: what a partner would run, started by us."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from types import TracebackType
from typing import Self

from probe.errors import NotMeasured
from probe.net.address import Address
from probe.net.job import USUAL, Carriage
from probe.net.node_key import VARIABLE

READY_TIMEOUT_S = 30


class EmulatedNode:
    """`async with EmulatedNode() as node`: `address`, `fingerprint` and `key` of a fresh `probe node`."""

    def __init__(self, carriage: Carriage = USUAL) -> None:
        self.key = secrets.token_hex(16).encode()
        self.address: Address = ("127.0.0.1", 0)
        self.fingerprint = ""
        self._carriage = carriage
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "probe", "node", "--json", "--listen", "127.0.0.1:0"),
            # It keeps nothing and ends when our end of its input does, so that nothing stays behind however we end.
            *("--ephemeral", "--until-eof"),
            *_flags(self._carriage),
            env=os.environ | {VARIABLE: self.key.decode()},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), READY_TIMEOUT_S)
            ready = json.loads(line)
            self.address = (ready["host"], ready["port"])
            self.fingerprint = ready["fingerprint"]
        except (TimeoutError, ValueError, KeyError):
            said = await self._end()
            raise NotMeasured(f"the emulated node did not start: {said or 'it said nothing'}") from None
        except asyncio.CancelledError:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> str:
        """End the process; returns what it said was wrong."""
        process = self._process
        said = b""
        if process is not None:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            try:
                said = (await asyncio.wait_for(process.communicate(), 3))[1]
            except TimeoutError:
                process.kill()
                said = (await process.communicate())[1]
        lines = said.decode(errors="replace").strip().splitlines()
        told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return (told or lines or [""])[-1]


def _flags(carriage: Carriage) -> list[str]:
    """For `probe node`: its packets are moved as ours are."""
    wanted = carriage.punctuality
    return [
        *(["--plain-sockets"] if carriage.plain else []),
        *(["--rt"] if wanted.realtime else []),
        *(["--low-latency"] if wanted.low_latency else []),
        *(["--spin", f"{wanted.spin_ns}ns"] if wanted.spin_ns else []),
    ]
