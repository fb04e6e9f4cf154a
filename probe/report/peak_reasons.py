"""Why the evening peak is worse than off-peak, or is not, or nobody can say (`analysis.peak`)."""

from __future__ import annotations

from probe.records import Json
from probe.report.more import what_decides
from probe.report.numbers import difference, plural

WINDOWS = {"peak": "the evening peak", "offpeak": "the off-peak window"}


def window_name(window: str) -> str:
    return WINDOWS.get(window, f"window {window}")


def in_window(reason: Json) -> str:
    """` in the evening peak`, where the reason is about one window."""
    window = reason.get("window")
    return f" in {window_name(window)}" if window else ""


def _worse(reason: Json) -> str:
    return (
        f"worse by more than {difference(reason['margin'], reason['unit'])}, the smallest change that counts"
    )


def _not_worse(reason: Json) -> str:
    margin = difference(reason["margin"], reason["unit"])
    return f"not worse by more than {margin}, the smallest change that counts"


def _too_few_days(reason: Json) -> str:
    return f"not enough data, {reason['days']} of {plural(reason['min_days'], 'day')} (evidence.min_days)"


def _near_margin(reason: Json) -> str:
    margin = difference(reason["margin"], reason["unit"])
    text = f"not enough data: the interval holds {margin}, the smallest change that counts"
    told = what_decides(reason.get("more"))
    return f"{text}; {told}" if told else text


def _outside(_: Json) -> str:
    return "measured outside both the evening peak and the off-peak window"


def _window_missing(reason: Json) -> str:
    return f"nothing is measured{in_window(reason)} yet, and there is nothing to compare with"


def _both_infinite(_: Json) -> str:
    return "infinite in both windows, so their difference says nothing"


def _offpeak_zero(_: Json) -> str:
    return "off-peak is zero, so there is no ratio to it; peak_shift compares by difference"


SPEAKERS = {
    "beyond_margin": _worse,
    "within_margin": _not_worse,
    "too_few_days": _too_few_days,
    "straddles_margin": _near_margin,
    "outside_windows": _outside,
    "window_missing": _window_missing,
    "both_infinite": _both_infinite,
    "offpeak_zero": _offpeak_zero,
}
