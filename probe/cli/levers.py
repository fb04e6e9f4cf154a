"""What `--rt`, `--low-latency`, `--spin` and `--impair` ask for."""

from __future__ import annotations

from probe.errors import ConfigError
from probe.net.clock import Alarm
from probe.net.punctual import Punctuality
from probe.plan.scalars import parse_duration

_SHORTEST, _LONGEST = f"{Alarm.MIN_LEAD_NS // 1000}us", f"{Alarm.MAX_LEAD_NS // 1000}us"
_HINT = "a processor that was idle takes 50 to 200 us to wake up: --spin 200us"


def punctuality(rt: bool, low_latency: bool, spin: str | None) -> Punctuality:
    """Raises ConfigError for a bad duration. Whether the system grants it is for `net.punctual.require`."""
    return Punctuality(rt, low_latency, 0 if spin is None else _spin_ns(spin))


def by_kernel(impair: str) -> bool:
    """Whether the kernel's netem is to apply weak networks; raises ConfigError for anything unknown."""
    if impair not in ("relay", "kernel"):
        raise ConfigError(f"--impair {impair}: weak networks are applied by `relay` or `kernel`")
    return impair == "kernel"


def _spin_ns(text: str) -> int:
    try:
        spin_ns = parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"--spin {text}: {error}", hint=_HINT) from None
    if not Alarm.MIN_LEAD_NS <= spin_ns <= Alarm.MAX_LEAD_NS:
        raise ConfigError(f"--spin {text}: it goes from {_SHORTEST} to {_LONGEST}", hint=_HINT)
    return spin_ns
