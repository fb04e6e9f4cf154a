"""How sessions end, and why one could not be measured (`records.SessionRecord.outcome`, `.error`)."""

from __future__ import annotations

from collections.abc import Callable

from probe.records import COMPLETED, Json, SessionRecord
from probe.report.numbers import plural
from probe.report.printable import printable

_OUTCOMES = {
    "unreachable": "the node did not answer",
    "died": "the node stopped answering",
    "interrupted": "stopped before its end; what was measured is kept",
    "failed": "our side could not measure",
    "not_connected": "the node answered, but the test connection never came about through the weak network",
}
_RESTRICTED = {
    "streams": "streams",
    "packets": "packets a stream",
    "packet_bytes": "bytes a packet",
    "rate_pps": "packets a second",
    "rate_bps": "bits a second",
    "duration_ms": "milliseconds",
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
    why = _clean(restriction.get("why"))
    return f"The node granted {granted} instead of {asked} {words}{f': {why}' if why else ''}."


def _with_detail(text: str, error: Json | None) -> str:
    detail, hint = (_clean((error or {}).get(name)) for name in ("detail", "hint"))
    sentence = f"{text}: {detail}" if detail else text
    sentence += f" ({hint})" if hint else ""
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _clean(words: object) -> str:
    return " ".join(printable(str(words or "")).split()).rstrip(".")


def _outcome(name: str) -> Callable[[Json], str]:
    return lambda reason: _with_detail(_OUTCOMES[name], reason.get("error")).rstrip(".")


def _our_side(reason: Json) -> str:
    text = _outcome("failed")(reason)
    sessions = reason.get("sessions")
    return f"{text} in {plural(sessions, 'session')}" if sessions else text


SPEAKERS: dict[str, Callable[[Json], str]] = {
    "unreachable": _outcome("unreachable"),
    "died": _outcome("died"),
    "not_connected": _outcome("not_connected"),
    "our_side": _our_side,
}
