"""Processors, system calls, IPv6, and programs that this machine has."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import socket
import struct
from contextlib import closing, suppress

from probe.net.clock import LINUX
from probe.records import Json

_PACKETS = 5
_TIMEOUT_S = 1.0
_ELSEWHERE = "2001:db8::1"
"""Of documentation (RFC 3849): a socket connected to it sends nothing, but finds out whether there is a route."""
_CONNECTORS = ("pasta", "slirp4netns")


def processor_facts() -> Json:
    """`cores` that this process may use, and the load average of the last minute on each of them."""
    cores = len(os.sched_getaffinity(0)) if LINUX else os.cpu_count() or 1
    return {"cores": cores, "load": os.getloadavg()[0] / cores}


def call_facts() -> Json:
    """Whether many packets can be moved with one call."""
    libc = ctypes.CDLL(None)
    calls = {name: hasattr(libc, name) for name in ("sendmmsg", "recvmmsg")}
    return calls | {"pointer_bits": 8 * struct.calcsize("P")}


def ipv6_facts() -> Json:
    """Packets that came back over loopback of those sent, and whether there is a route to elsewhere."""
    return {"loopback_sent": _PACKETS, "loopback_back": _over_loopback(), "route": _has_route()}


def _over_loopback() -> int:
    back = 0
    with suppress(OSError), closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(_TIMEOUT_S)
        sock.bind(("::1", 0))
        sock.connect(sock.getsockname()[:2])
        for number in range(_PACKETS):
            sock.send(bytes([number]))
            back += sock.recv(1) == bytes([number])
    return back


def _has_route() -> bool:
    try:
        with closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as sock:
            sock.connect((_ELSEWHERE, 9))
    except OSError as error:
        if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return False
        return error.errno == errno.EACCES
    return True


def connector_facts() -> Json:
    """What can give a network namespace a way out: programs (their paths), and whether /dev/net/tun opens."""
    tun = False
    with suppress(OSError):
        os.close(os.open("/dev/net/tun", os.O_RDWR))
        tun = True
    return {name: shutil.which(name) for name in _CONNECTORS} | {"tun": tun}
