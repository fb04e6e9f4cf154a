"""Inside a user-mode Linux: our own kernel backend at work, as an ordinary user.

Imports the package under test, with its libraries, from the host's files.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from probe.errors import ProbeError
from probe.net.kernel_netem import KernelNetem
from probe.plan.networks import from_document
from tests.uml import guest

USER = 1001


async def exchange(path: KernelNetem, target: socket.socket, packets: int, gap_s: float) -> dict[str, Any]:
    """Send numbered packets and echo them: which came, there and back, and after how long."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(path.address)
    client.setblocking(False)
    there: list[int] = []
    back: list[tuple[int, float]] = []
    sent: dict[int, float] = {}

    def read() -> None:
        while True:
            try:
                data, sender = target.recvfrom(2048)
            except BlockingIOError:
                break
            there.append(struct.unpack_from("=I", data)[0])
            target.sendto(data, sender)
        while True:
            try:
                number = struct.unpack_from("=I", client.recv(2048))[0]
            except BlockingIOError:
                break
            back.append((number, time.monotonic() - sent[number]))

    start = time.monotonic()
    for number in range(packets):
        while time.monotonic() < start + number * gap_s:
            read()
            await asyncio.sleep(0)
        sent[number] = time.monotonic()
        client.send(struct.pack("=I", number) + bytes(96))
    quiet = time.monotonic()
    count = -1
    while time.monotonic() - quiet < 1.0:
        await asyncio.sleep(0.01)
        read()
        if len(there) + len(back) != count:
            count, quiet = len(there) + len(back), time.monotonic()
    client.close()
    counters = await path.counters()
    return {"there": there, "back": back, "counters": asdict(counters)}


async def measure(job: dict[str, Any]) -> dict[str, Any]:
    profile = from_document(job["profile"])
    target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    target.bind(("127.0.0.1", 0))
    target.setblocking(False)
    try:
        async with KernelNetem.start(
            target.getsockname(), profile.up, profile.down, payload_bytes=100
        ) as path:
            first = await exchange(path, target, job["packets"], job["gap_s"])
            await path.configure([], [])
            clean = await exchange(path, target, 50, 0.002)
            return {"first": first, "clean": clean, "left": await dies(path)}
    except ProbeError as error:
        return {"refused": str(error), "hint": error.hint}
    finally:
        target.close()


async def dies(path: KernelNetem) -> list[str]:
    """Kill the loop outright; what of it is still there a moment later."""
    os.kill(path._child.pid, signal.SIGKILL)
    for _ in range(40):
        await asyncio.sleep(0.05)
        left = ours()
        if not left:
            return []
    return left


def ours() -> list[str]:
    """The command lines of our helper processes, but zombies."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                words = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if "probe.net.process" in words:
                found.append(words)
    return found


def as_user(jobs: list[dict[str, Any]], write: int) -> None:
    os.setgid(USER)
    os.setuid(USER)
    try:
        result: Any = [asyncio.run(measure(job)) for job in jobs]
    except BaseException:  # noqa: BLE001 (told to the test)
        result = traceback.format_exc()
    with os.fdopen(write, "w") as pipe:
        json.dump(result, pipe)
    os._exit(0)


def work(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As an ordinary user: the guest's root would need no user namespace."""
    guest.run("ip", "link", "set", "lo", "up")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        as_user(jobs, write)
    os.close(write)
    with os.fdopen(read) as pipe:
        answers = json.load(pipe)
    os.waitpid(child, 0)
    if isinstance(answers, str):
        raise RuntimeError(answers)  # noqa: TRY004 (it is the user's traceback)
    found: list[dict[str, Any]] = answers
    return found


if __name__ == "__main__":
    guest.main(work)
