"""Reasons in plain English, one sentence each; every sentence for people is made in this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from probe.records import Json
from probe.report import claim_reasons, outcome_reasons, peak_reasons, quality_reasons, threshold_reasons
from probe.report.numbers import plural

Speaker = Callable[[Json], str]

SPEAKERS: dict[str, Speaker] = {
    **quality_reasons.SPEAKERS,
    **peak_reasons.SPEAKERS,
    **threshold_reasons.SPEAKERS,
    **outcome_reasons.SPEAKERS,
    **claim_reasons.SPEAKERS,
}
"""From a reason's code to what says it."""


def sentence(reason: Json) -> str:
    """One sentence for `{"code": ..., parameters}`; a code of a newer version is spelt out readably.

    What the reason is about may stand beside its own parameters (`report.facts`): value, limit, unit, n.
    """
    code = str(reason.get("code") or "no_reason")
    speaker = SPEAKERS.get(code)
    try:
        text = _spelt_out(code, reason) if speaker is None else speaker(reason)
    except (KeyError, TypeError, ValueError):  # stored by another version, with other parameters
        text = _spelt_out(code, reason)
    parts = [text, *_asides(code, reason)]
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts)


def _asides(code: str, reason: Json) -> list[str]:
    if code == "invalid_measurement":
        return [sentence(part).rstrip(".") for part in reason.get("reasons", ())]
    left = reason.get("set_aside")
    return [f"{plural(int(left), 'session')} of it could not be used"] if left else []


def _spelt_out(code: str, reason: Json) -> str:
    words = code.replace("_", " ")
    facts = [f"{name} {_plain(value)}" for name, value in reason.items() if name != "code"]
    shown = [fact for fact in facts if fact]
    return f"{words} ({', '.join(shown)})" if shown else words


def _plain(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
