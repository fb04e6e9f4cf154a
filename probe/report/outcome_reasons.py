"""How sessions end, and why one could not be measured (`records.SessionRecord.outcome`, `.error`)."""

from __future__ import annotations

from collections.abc import Callable

from probe.records import COMPLETED, Json, SessionRecord
from probe.report.numbers import plural

_OUTCOMES = {
    "unreachable": "the node did not answer",
    "died": "the node stopped answering",
    "interrupted": "stopped before its end; what was measured is kept",
    "failed": "our side could not measure",
}
_RESTRICTED = {
    "streams": "the number of streams",
    "packets": "the number of packets",
    "packet_bytes": "the size of a packet in bytes",
    "rate_pps": "the packets a second",
    "rate_bps": "the bits a second",
    "duration_ms": "the duration in ms",
}


def outcome_sentence(record: SessionRecord) -> str | None:
    """How a session ended, with what is known of the cause; None for one that completed."""
    if record.outcome == COMPLETED:
        return None
    text = _OUTCOMES.get(record.outcome, record.outcome.replace("_", " "))
    return _with_detail(text, record.error)


def restriction_sentence(restriction: Json) -> str:
    """What the node granted less of than was asked."""
    what = str(restriction.get("what"))
    words = _RESTRICTED.get(what, what.replace("_", " "))
    asked, granted = restriction.get("asked"), restriction.get("granted")
    why = str(restriction.get("why") or "").rstrip(".")
    return f"The node granted {granted} of {asked} as {words}{f': {why}' if why else ''}."


def _with_detail(text: str, error: Json | None) -> str:
    detail = str((error or {}).get("detail") or "").strip().rstrip(".")
    sentence = f"{text}: {detail}" if detail else text
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _outcome(name: str) -> Callable[[Json], str]:
    return lambda reason: _with_detail(_OUTCOMES[name], reason.get("error")).rstrip(".")


def _our_side(reason: Json) -> str:
    text = _outcome("failed")(reason)
    sessions = reason.get("sessions")
    return f"{text} in {plural(sessions, 'session')}" if sessions else text


SPEAKERS: dict[str, Callable[[Json], str]] = {
    "unreachable": _outcome("unreachable"),
    "died": _outcome("died"),
    "our_side": _our_side,
}
