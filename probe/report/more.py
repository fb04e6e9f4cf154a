"""What would decide, in words."""

from __future__ import annotations

from probe.records import Json
from probe.report.numbers import plural


def what_decides(more: Json | None) -> str:
    """`about 11 more minutes would decide`; empty where it is not known."""
    if not more:
        return ""
    if more["unit"] == "never":
        return "no sensible amount more would decide, so near the limit it is"
    number = int(more["n"])
    if more["unit"] == "minute" and number >= 120:
        return f"about {round(number / 60)} more hours would decide"
    return f"about {number} more {plural(number, more['unit']).split(' ', 1)[1]} would decide"
