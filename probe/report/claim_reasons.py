"""Why a claim holds, breaks, or cannot be decided (`analysis.claims`)."""

from __future__ import annotations

from collections.abc import Callable

from probe.records import Json
from probe.report.numbers import limit


def between(reason: Json) -> str:
    """`between 20 % and 30 %`, `at 0 % already`, `beyond 80 %, the most that was tried`, `at 30 % or less`."""
    low, high = reason["low"], reason["high"]
    if low is None and high is None:
        return "somewhere in the sweep"
    if high is None:
        return f"beyond {limit(low, '%')}" + (", the most that was tried" if low == reason["last"] else "")
    if low is None:
        return f"at {limit(high, '%')}" + (" already" if high == 0 else " or less")
    return f"between {limit(low, '%')} and {limit(high, '%')}"


def _asked(reason: Json) -> str:
    return f"{reason['criterion']} is claimed up to {limit(reason['resists'], '%')} loss"


def _holds(reason: Json) -> str:
    return f"{_asked(reason)} and holds there; it breaks {between(reason)}"


def _breaks(reason: Json) -> str:
    return f"{_asked(reason)}, and breaks {between(reason)}"


def _undecided(reason: Json) -> str:
    return f"{_asked(reason)}; it breaks {between(reason)}, and more sessions (repeat) or steps would tell"


def _over_budget(reason: Json) -> str:
    return f"{_asked(reason)}, and costs more than its budget {between(reason)}"


def _not_connected(reason: Json) -> str:
    return f"{_asked(reason)}, and no connection came about {between(reason)}"


SPEAKERS: dict[str, Callable[[Json], str]] = {
    "claim_holds": _holds,
    "claim_breaks": _breaks,
    "claim_undecided": _undecided,
    "claim_over_budget": _over_budget,
    "claim_not_connected": _not_connected,
    "claim_not_measured": lambda _: "no session of the sweep was measured",
}
