"""Free ports for foreign servers, and waiting until they listen."""

from __future__ import annotations

import socket
import time
from pathlib import Path

PATIENCE_S = 5.0


def free_port() -> int:
    """A UDP port of 127.0.0.1 that nobody had a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until_bound(kind: str, port: int) -> None:
    """Return when somebody has bound ("udp") or listens on ("tcp") the port; RuntimeError if nobody does."""
    give_up = time.monotonic() + PATIENCE_S
    while f":{port:04X} 00000000:0000" not in Path(f"/proc/net/{kind}").read_text():
        if time.monotonic() > give_up:
            raise RuntimeError(f"nobody listens on {kind} port {port}")
        time.sleep(0.01)
