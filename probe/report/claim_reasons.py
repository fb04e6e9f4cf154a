"""Why a claim holds, breaks, or cannot be decided (`analysis.claims`)."""

from __future__ import annotations

from collections.abc import Callable

from probe.records import Json
from probe.report.numbers import limit


def between(reason: Json) -> str:
    """Of a claim that broke at some step: `between 20 % and 30 %`, `at 0 % already`, `at 30 % or less`."""
    low, high = reason["low"], reason["high"]
    if low is None:
        return f"at {limit(high, '%')}" + (" already" if high == 0 else " or less")
    return f"between {limit(low, '%')} and {limit(high, '%')}"


def _known(reason: Json) -> str:
    """How far it holds, and where it breaks, as far as the steps say."""
    low, high = reason["low"], reason["high"]
    if high is not None:
        return f"it breaks {between(reason)}"
    if low is None:
        return "no step of the sweep decides it"
    if low == reason["last"]:
        return f"it holds up to {limit(low, '%')}, the most that was tried"
    return f"it holds up to {limit(low, '%')}, and the steps beyond decide nothing"


def _asked(reason: Json) -> str:
    return f"{reason['criterion']} is claimed up to {limit(reason['resists'], '%')} loss"


def _holds(reason: Json) -> str:
    return f"{_asked(reason)} and holds there; {_known(reason)}"


def _breaks(reason: Json) -> str:
    return f"{_asked(reason)}, and breaks {between(reason)}"


def _undecided(reason: Json) -> str:
    return f"{_asked(reason)}; {_known(reason)}: more sessions (repeat) or steps would tell"


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
