"""Why a measurement is degraded or invalid, judged on itself (`analysis.quality`)."""

from __future__ import annotations

from collections.abc import Callable

from probe.records import Json
from probe.report.numbers import limit, plural, quantity

LIMITS_PAGE = "docs/measurement.md"

# With a number for one session, without for a whole run.
_PHRASES = {
    "host_late": ("this host was too late to send {value} of the packets", "this host sent too late"),
    "lateness_p99": ("one packet in 100 left {value} late or more", "packets left late"),
    "policed": ("the node policed {value} of the packets", "the node policed packets"),
    "socket_dropped": (
        "{value} of the packets were dropped in a socket at one of the ends",
        "packets were dropped in a socket at one of the ends",
    ),
    "backlog_dropped": (
        "this host's kernel dropped packets, of whatever traffic, before a socket got them: {value} of those sent",
        "this host's kernel dropped packets before a socket got them",
    ),
    "node_backlog_dropped": (
        "the node's kernel dropped packets, of whatever traffic, before a socket got them: {value} of those sent",
        "the node's kernel dropped packets before a socket got them",
    ),
    "relay_dropped": (
        "our own relay had no room for {value} of the packets",
        "our own relay had no room for packets",
    ),
    "lost_to_us": (
        "as many packets as {value} of the losses were dropped by our own side: sockets, relay, the node's policing",
        "too much of what was lost was dropped by our own side",
    ),
    "relay_late": (
        "one packet in 100 left our own relay {value} late or more",
        "packets left our own relay late",
    ),
    "network_off": (
        "the weak network's losses are {value} as far from what is set as chance explains",
        "the weak network did not lose what is set",
    ),
    "stall": ("the packet loop stood still for {value}", "the packet loop stood still"),
    "node_stall": (
        "the node's packet loop stood still for {value}, which is in no delay where the kernel stamps at the node",
        "the node's packet loop stood still",
    ),
    "stall_in_delay": (
        "a packet loop stood still for {value} where the kernel stamps no arrivals: it looks like delay of the path",
        "a packet loop stood still where the kernel stamps no arrivals",
    ),
    "node_steal": (
        "{value} of the processor time of the node's host was taken away",
        "processor time of the node's host was taken away",
    ),
    "steal": ("{value} of this host's processor time was taken away", "processor time was taken away"),
    "clock_step": ("this host's clock jumped by {value}", "this host's clock jumped"),
    "node_clock_step": ("the node's clock jumped by {value}", "the node's clock jumped"),
    "log_missing": (
        "the node's log is missing, so the direction of {value} of the packets is unknown",
        "the node's log is missing, so the direction of some losses is unknown",
    ),
    "nothing_sent": ("no packet could be sent", "no packet could be sent"),
}


def _speaker(code: str) -> Callable[[Json], str]:
    with_number, without = _PHRASES[code]

    def speak(reason: Json) -> str:
        text = without
        if "value" in reason:
            ratio = reason["unit"] == "ratio"
            factor, unit = (100, "%") if ratio else (1, reason["unit"])
            text = with_number.format(value=quantity(factor * reason["value"], unit))
            if reason["limit"]:
                text += f" (limit {limit(factor * reason['limit'], unit)})"
        sessions = reason.get("sessions")
        return f"{text} in {plural(sessions, 'session')}" if sessions else text

    return speak


SPEAKERS = {code: _speaker(code) for code in _PHRASES}
