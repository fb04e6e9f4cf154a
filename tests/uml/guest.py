"""The first process inside a user-mode Linux: two network namespaces, a veth pair, real packets through netem.

Only the standard library: what runs here has to start fast, and must not depend on what is tested. One
thread sends and receives, so that no other wakes up late; arrivals carry the kernel's stamps.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
POWER_OFF = 0x4321FEDC
SO_TIMESTAMPNS = 35
SO_NO_CHECK = 11
PORT = 5000
HEAD = struct.Struct("=IQ")
IDLE_S = 0.25
PR_SET_TIMERSLACK = 29
FINIT_MODULE = {"x86_64": 313, "aarch64": 273}.get(os.uname().machine, -1)
MODULES = (
    "net/sched/sch_netem.ko",
    "net/sched/sch_tbf.ko",
    "drivers/net/veth.ko",
    "drivers/net/tun.ko",
    "net/ipv6/ipv6.ko",
)


def run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def mount_basics() -> None:
    for kind, place in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/tmp"), ("tmpfs", "/run")):
        if place == "/tmp" and FOLDER.is_relative_to("/tmp"):
            continue
        subprocess.run(["mount", "-t", kind, kind, place], check=False, capture_output=True)


def load_modules() -> None:
    """Where netem, veth and IPv6 are modules, load them from the host's files."""
    release = os.uname().release
    for base in (Path("/usr/lib/uml/modules"), Path("/lib/modules")):
        for module in MODULES:
            path = base / release / "kernel" / module
            if path.exists():
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                LIBC.syscall(FINIT_MODULE, file, b"", 0)
                os.close(file)


class Namespace:
    """A network namespace that commands and sockets can be made in."""

    def __init__(self) -> None:
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        if LIBC.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        self.fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        with contextlib.suppress(OSError):
            Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
            Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        LIBC.setns(home, CLONE_NEWNET)
        os.close(home)

    @contextlib.contextmanager
    def entered(self) -> Any:
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        LIBC.setns(self.fd, CLONE_NEWNET)
        try:
            yield
        finally:
            LIBC.setns(home, CLONE_NEWNET)
            os.close(home)


class Wire:
    """Namespace `near` with device v0 (10.0.0.1), `far` with v1 (10.0.0.2); nothing but our packets on it."""

    def __init__(self) -> None:
        self.near, self.far = Namespace(), Namespace()
        with self.near.entered():
            run(
                "ip",
                "link",
                "add",
                "v0",
                "type",
                "veth",
                "peer",
                "name",
                "v1",
                "netns",
                f"/proc/{os.getpid()}/fd/{self.far.fd}",
            )
            run("ip", "link", "set", "lo", "up")
            self._up("v0", "10.0.0.1/24")
        with self.far.entered():
            run("ip", "link", "set", "lo", "up")
            self._up("v1", "10.0.0.2/24")
        hardware = {}
        for space, device in ((self.near, "v0"), (self.far, "v1")):
            with space.entered():
                hardware[device] = json.loads(run("ip", "-j", "link", "show", device))[0]["address"]
        with self.near.entered():
            run(
                "ip",
                "neigh",
                "replace",
                "10.0.0.2",
                "lladdr",
                hardware["v1"],
                "dev",
                "v0",
                "nud",
                "permanent",
            )
        with self.far.entered():
            run(
                "ip",
                "neigh",
                "replace",
                "10.0.0.1",
                "lladdr",
                hardware["v0"],
                "dev",
                "v1",
                "nud",
                "permanent",
            )

    @staticmethod
    def _up(device: str, address: str) -> None:
        run("ip", "address", "add", address, "dev", device)
        run("ip", "link", "set", device, "up")


def sockets(wire: Wire) -> tuple[socket.socket, socket.socket]:
    """A connected sender in `near`, a stamped receiver in `far`; neither checks or makes UDP checksums."""
    with wire.far.entered():
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        receiver.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        receiver.bind(("0.0.0.0", PORT))
        receiver.setblocking(False)
    with wire.near.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        sender.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)  # SO_SNDBUFFORCE
        sender.connect(("10.0.0.2", PORT))
    return sender, receiver


class Measured:
    """What came of one configuration."""

    def __init__(self, packets: int, size: int) -> None:
        self.sent = array.array("q", bytes(8 * packets))
        self.sequence, self.arrived, self.damaged = array.array("I"), array.array("q"), array.array("i")
        self.strange = 0
        self._padding = bytes(size - HEAD.size)

    def packet(self, number: int, now: int) -> bytes:
        self.sent[number] = now
        return HEAD.pack(number, now) + self._padding

    def take(self, data: bytes, stamp: int) -> None:
        """Note an arrival; `damaged` is the number of flipped bits where the packet is still known."""
        if len(data) < HEAD.size:
            self.strange += 1
            return
        number, sent = HEAD.unpack_from(data)
        if number >= len(self.sent) or self.sent[number] != sent:
            number = self._nearest(number, sent)
        if number < 0:
            self.strange += 1
            return
        intact = HEAD.pack(number, self.sent[number]) + self._padding
        self.sequence.append(number)
        self.arrived.append(stamp)
        if len(data) != len(intact):  # the bit was in a length field
            self.damaged.append(1)
            return
        different = int.from_bytes(intact, "big") ^ int.from_bytes(data, "big")
        self.damaged.append(different.bit_count())

    def _nearest(self, number: int, sent: int) -> int:
        """The packet that a header with one flipped bit was."""
        for bit in range(32):
            other = number ^ (1 << bit)
            if other < len(self.sent) and self.sent[other] == sent:
                return other
        if number < len(self.sent) and (self.sent[number] ^ sent).bit_count() == 1:
            return number
        return -1


def drain(receiver: socket.socket, measured: Measured) -> int:
    found = 0
    while True:
        try:
            data, extra, _, _ = receiver.recvmsg(2048, 64)
        except BlockingIOError:
            return found
        seconds, nanoseconds = struct.unpack("=qq", extra[0][2])
        measured.take(data, seconds * 1_000_000_000 + nanoseconds)
        found += 1


def send(wire: Wire, packets: int, size: int, gap_ns: int, burst: int, settle_s: float) -> Measured:
    """`burst` packets of `size` bytes of payload each `gap_ns`; returns when nothing came for long enough."""
    sender, receiver = sockets(wire)
    measured = Measured(packets, size)
    wall = time.time_ns
    start = wall() + 10_000_000
    for number in range(packets):
        due = start + number // burst * gap_ns
        while (left := due - wall()) > 0:
            time.sleep(left / 1e9)
        sender.send(measured.packet(number, wall()))
        if number % burst == burst - 1:
            drain(receiver, measured)
    quiet = wall()
    while wall() - quiet < settle_s * 1e9:
        time.sleep(IDLE_S / 5)
        if drain(receiver, measured):
            quiet = wall()
    sender.close()
    receiver.close()
    return measured


def measure(wire: Wire, job: dict[str, Any]) -> dict[str, Any]:
    """One configuration: its qdiscs, its packets, what tc says afterwards."""
    commands = job["tc"] if isinstance(job["tc"][0], list) else [job["tc"]] if job["tc"] else []
    with wire.near.entered():
        run("tc", "qdisc", "del", "dev", "v0", "root", check=False)
        for command in commands:
            run("tc", "qdisc", "add", "dev", "v0", *command)
    measured = send(
        wire, job["packets"], job["size"], job["gap_ns"], job.get("burst", 1), job.get("settle_s", 1.0)
    )
    with wire.near.entered():
        shown = run("tc", "-s", "qdisc", "show", "dev", "v0")
    base = measured.sent[0]
    for name, values in (
        ("sent", [when - base for when in measured.sent]),
        ("arrived", [when - base for when in measured.arrived]),
        ("sequence", measured.sequence),
        ("damaged", measured.damaged),
    ):
        (FOLDER / f"{job['file']}.{name}.bin").write_bytes(array.array("q", values).tobytes())
    return {"tc": shown, "received": len(measured.sequence), "strange": measured.strange}


def main(work: Callable[[Any], Any]) -> None:
    """Do the job in the folder, leave the result, and switch off."""
    result: dict[str, Any]
    try:
        LIBC.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
        mount_basics()
        load_modules()
        result = {
            "kernel": f"{os.uname().sysname} {os.uname().release} {os.uname().version}",
            "tc": run("tc", "-V").strip(),
            "answers": work(json.loads((FOLDER / "job.json").read_text())),
        }
    except BaseException:  # noqa: BLE001 (the host prints it)
        result = {"error": traceback.format_exc()}
    (FOLDER / "result.json").write_text(json.dumps(result))
    os.sync()
    LIBC.reboot(POWER_OFF)


FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()


def _measure_all(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    wire = Wire()
    return {job["name"]: measure(wire, job) for job in jobs}


if __name__ == "__main__":
    main(_measure_all)
