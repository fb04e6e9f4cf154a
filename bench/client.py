"""The product's media worker as a child process, without privileges and without signalling.

The QUIC handshake, which comes before the media, has nobody to answer it here; all else is the worker of
`probe run`.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any

from probe.net import quic_job
from probe.net.pipe import Pipe
from probe.net.worker import work as product_work

_LINUX_CAPABILITY_VERSION_3 = 0x20080522


def work(pipe: Pipe) -> None:
    """Entry point of the child."""
    drop_capabilities()
    quic_job.quic_handshake = _no_handshake
    product_work(pipe)


def drop_capabilities() -> None:
    """Be as an ordinary user: no real-time class, no negative nice value, no buffers beyond the limit.

    The user stays who it is, so that a Python in a home directory can still be read.
    """
    header = struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, bytes(24)):
        raise OSError(ctypes.get_errno(), "cannot give up capabilities")


def _no_handshake(*_: Any, **__: Any) -> float:
    return 0.0
