"""Network namespaces for ordinary users: a user namespace first, then as many networks as are needed.

A namespace lives as long as a process in it or a descriptor of it: when those who hold it end, however they
end, the kernel takes devices, addresses and qdiscs away. Nothing here has a name that could be left behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from probe.errors import NotMeasured

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

_SIOCETHTOOL = 0x8946
_BY_THE_DEVICE = (0x17, 0x1F, 0x24)  # linux/ethtool.h: checksums of what is sent, TSO, GSO

_libc = ctypes.CDLL(None, use_errno=True)


class Missing(NotMeasured):
    """This system lacks what a weak network by other means than the relay needs."""


def leave_host() -> bool:
    """Enter a network that is not the host's, as one who may administer networks there.

    Root has that power, others get it from a user namespace of their own; returns whether it took one. There is no
    way back. Only for a process with one thread. Raises Missing where the system forbids it.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0 and _may_administer():
        if _libc.unshare(CLONE_NEWNET):
            raise _no_user_namespaces(ctypes.get_errno())
        return False
    if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise _no_user_namespaces(ctypes.get_errno())
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise _no_user_namespaces(error.errno or 0) from None
    return True


def enter(fd: int, kind: int = 0) -> None:
    """Go for good into the namespace that `fd` is; raises OSError."""
    if _libc.setns(fd, kind):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def be_user_again(uid: int, gid: int) -> None:
    """Leave the powers of `leave_host`: a further user namespace in which the ids are one's own."""
    if os.geteuid() != 0 or uid == 0:
        return
    if _libc.unshare(CLONE_NEWUSER):
        raise _no_user_namespaces(ctypes.get_errno())
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} 0 1")
    Path("/proc/self/gid_map").write_text(f"{gid} 0 1")


def _may_administer() -> bool:
    """Whether CAP_SYS_ADMIN and CAP_NET_ADMIN are among this process's capabilities."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            held = int(line.split()[1], 16)
            return bool(held >> 21 & 1 and held >> 12 & 1)
    return False


def _no_user_namespaces(code: int) -> Missing:
    for name, value in (
        ("kernel.unprivileged_userns_clone", "0"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
        ("user.max_user_namespaces", "0"),
    ):
        with contextlib.suppress(OSError):
            if Path("/proc/sys", name.replace(".", "/")).read_text().strip() == value:
                good = {"0": "1", "1": "0"}[value] if not name.startswith("user.") else "10000"
                return Missing(
                    f"this system gives ordinary users no network of their own ({name} is {value})",
                    hint=f"allow it: sudo sysctl {name}={good}; or use the relay, which needs nothing",
                )
    return Missing(
        f"this system gives ordinary users no network of their own ({os.strerror(code)})",
        hint="in a container add --cap-add SYS_ADMIN --cap-add NET_ADMIN, or use the relay, which needs nothing",
    )


Neighbours = tuple[Sequence[str], Sequence[str]]


class Namespace:
    """A network of its own, with nothing in it but a loopback that is up."""

    def __init__(self) -> None:
        home = _open_current()
        try:
            if _libc.unshare(CLONE_NEWNET):
                raise Missing(
                    f"no network namespace can be made: {os.strerror(ctypes.get_errno())}",
                    hint="use the relay, which needs nothing",
                )
            self.fd = _open_current()
            run("ip", "link", "set", "lo", "up")
        finally:
            enter(home)
            os.close(home)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread works, and its new sockets are, in there."""
        home = _open_current()
        enter(self.fd)
        try:
            yield
        finally:
            enter(home)
            os.close(home)

    def enter(self) -> None:
        """Go there for good."""
        enter(self.fd)

    def write(self, setting: str, value: str) -> None:
        """A setting of this network, such as `net.ipv4.ip_forward`, if it has it."""
        with self.entered(), contextlib.suppress(OSError):
            Path("/proc/sys", setting.replace(".", "/")).write_text(value)


def join(one: Namespace, other: Namespace, names: tuple[str, str] = ("v0", "v1")) -> None:
    """A cable: a device in each, both up. No segment is larger than a packet, so that each is counted."""
    with one.entered():
        far = f"/proc/{os.getpid()}/fd/{other.fd}"
        run("ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1], "netns", far)
    for space, name in ((one, names[0]), (other, names[1])):
        with space.entered():
            run("ip", "link", "set", name, "gso_max_segs", "1", "txqueuelen", "10000", "up")
            send_as_on_the_wire(name)


def send_as_on_the_wire(device: str) -> None:
    """Have a device of the present network send what a wire carries: checksums filled in, nothing beyond its MTU."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _BY_THE_DEVICE:
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0), 8)
            request = struct.pack("=16sQ16x", device.encode(), ctypes.addressof(value))
            # A device without it refuses, and has nothing to be switched off.
            with contextlib.suppress(OSError):
                fcntl.ioctl(control, _SIOCETHTOOL, request)


def know_each_other(one: Namespace, other: Namespace, names: tuple[str, str], addresses: Neighbours) -> None:
    """Enter the hardware addresses of a cable's ends, so that no question (ARP, NDP) is lost or delayed on it.

    `addresses` are those of either end.
    """
    ends = ((one, names[0], other, names[1], addresses[1]), (other, names[1], one, names[0], addresses[0]))
    for space, device, other_space, other_device, its_addresses in ends:
        with other_space.entered():
            hardware = hardware_address(other_device)
        with space.entered():
            for address in its_addresses:
                run("ip", "neigh", "replace", address, "lladdr", hardware, "dev", device, "nud", "permanent")


def hardware_address(device: str) -> str:
    """The address of a device in the present network (which /sys does not show: it is that of its mount)."""
    shown = run("ip", "-o", "link", "show", device)
    return shown.split("link/ether ")[1].split()[0]


def run(*command: str, environ: Mapping[str, str] | None = None) -> str:
    """Run a command of iproute2 in the present network; raises Missing with what it says."""
    path = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin:/sbin")
    if path is None:
        raise Missing(f"there is no `{command[0]}` here", hint="install iproute2, or use the relay")
    done = subprocess.run(
        [path, *command[1:]],
        capture_output=True,
        text=True,
        check=False,
        env=None if environ is None else {**os.environ, **environ},
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        lines = [line.removeprefix("Error: ").rstrip(". ") for line in said.splitlines() if line.strip()]
        reason = next(iter(lines), "no reason given")
        raise Failed(f"`{' '.join(command)}` failed: {reason}")
    return done.stdout


class Failed(Missing):
    """A command that did not work, with its own words."""


def _open_current() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
