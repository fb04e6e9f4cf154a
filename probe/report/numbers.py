"""How numbers are written for people: `–` for no data, `∞` for never, the unit once."""

from __future__ import annotations

import math

NO_DATA = "–"
INFINITE = "∞"


def milliseconds(value: float | None, *, infinite: bool = False) -> str:
    """One decimal, two below 1 ms; without the unit (it stands in the head of the column)."""
    if infinite:
        return INFINITE
    return NO_DATA if value is None else _decimals(value, 1 if abs(value) >= 1 or value == 0 else 2)


def percent(ratio: float | None) -> str:
    """A share from 0 to 1 as per cent with two decimals, without the sign."""
    return NO_DATA if ratio is None else _decimals(100 * ratio, 2)


def share(ratio: float | None, hits: int, of: int) -> str:
    """`0.53 (8/1500)`: per cent and what it was counted from; no data without a population."""
    return NO_DATA if ratio is None else f"{percent(ratio)} ({hits}/{of})"


def count(value: int | None) -> str:
    return NO_DATA if value is None else str(value)


def quantity(value: float | None, unit: str, *, infinite: bool = False, signed: bool = False) -> str:
    """A number with its unit: `312.4 ms`, `0.53 %`, `1.62x`; `signed` for differences."""
    if infinite:
        return INFINITE
    if value is None:
        return NO_DATA
    plus = "+" if signed and value > 0 else ""
    return plus + _with_unit(milliseconds(value) if unit == "ms" else _decimals(value, 2), unit)


def difference(value: float | None, unit: str, *, infinite: bool = False, signed: bool = False) -> str:
    """As `quantity`, of the difference of two: shares differ by points, never by a per cent of themselves."""
    text = quantity(value, unit, infinite=infinite, signed=signed)
    return text.replace("%", "points")


def limit(value: float, unit: str) -> str:
    """A limit as its author wrote it: no more decimals than it has."""
    return _with_unit(f"{value:.10g}", unit)


def beside(value: float | None, unit: str, against: float, *, infinite: bool = False) -> str:
    """A value to stand beside its limit: with enough decimals that it does not read as the limit itself."""
    text = quantity(value, unit, infinite=infinite)
    if value is None or infinite or value == against:
        return text
    for decimals in range(2, 10):
        if float(text.rstrip("x% ms")) != against:
            break
        text = _with_unit(_decimals(value, decimals), unit)
    return text


def duration(seconds: float) -> str:
    """`8 s`, `1:05 min`, `2:03 h`."""
    whole = max(0, math.ceil(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"


def plural(number: int, one: str, many: str = "") -> str:
    """`1 session`, `2 sessions`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _with_unit(number: str, unit: str) -> str:
    return f"{number}x" if unit in ("", "x") else f"{number} {unit}"


def _decimals(value: float, places: int) -> str:
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text
