"""What this user may do beyond an ordinary one, each thing tried."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from probe.net.punctual import Privileges, Punctuality
from probe.records import Json

_CAPABILITIES = {"cap_net_admin": 12, "cap_net_raw": 13}


def privilege_facts() -> Json:
    """Effective capabilities (None where there is no /proc), real-time class and awake processors."""
    taken = Privileges(Punctuality(realtime=True, low_latency=True))
    found = {"realtime": taken.realtime, "low_latency": taken.low_latency}
    taken.drop()
    held = _effective()
    return {
        name: None if held is None else bool(held >> bit & 1) for name, bit in _CAPABILITIES.items()
    } | found


def _effective() -> int | None:
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return None
