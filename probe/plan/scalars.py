"""Text with a unit -> a number, and back.

Every quantity in a plan carries its unit (`30s`, `1200kbps`, `3%`): a bare 0.5 that means 0.5 % to one
reader and 50 % to the next is the classic mistake. Durations become int nanoseconds, sizes int bytes,
rates int bit/s, per cents a float ratio, times of day int minutes after midnight. Each `parse_*` takes
any YAML scalar and raises ValueError with one sentence; each `format_*` writes what `parse_*` reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

DURATIONS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
SIZES = {
    "B": 1,
    "kB": 1_000,
    "MB": 1_000_000,
    "GB": 1_000_000_000,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
RATES = {"bps": 1, "kbps": 1_000, "Mbps": 1_000_000, "Gbps": 1_000_000_000}

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*([^\s0-9.]*)\s*")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_LONGEST = 1 << 62  # what fits a signed 64-bit column with room for a sum

DURATION_PATTERN = rf"^{_NUMBER} ?({'|'.join(DURATIONS)})$"
SIZE_PATTERN = rf"^{_NUMBER} ?({'|'.join(SIZES)})$"
RATE_PATTERN = rf"^{_NUMBER} ?({'|'.join(RATES)})$"
PERCENT_PATTERN = rf"^{_NUMBER} ?%$"
CLOCK_PATTERN = "^([01]?[0-9]|2[0-4]):[0-5][0-9]$"


def parse_duration(value: object) -> int:
    """`30s`, `200ms`, `1.5h` -> nanoseconds."""
    return _quantity(value, "duration", DURATIONS, "30s, 200ms or 5m")


def parse_size(value: object) -> int:
    """`1200B`, `16MiB` -> bytes."""
    return _quantity(value, "size", SIZES, "1200B or 16MiB")


def parse_rate(value: object) -> int:
    """`1200kbps`, `2.5Mbps` -> bit/s."""
    return _quantity(value, "rate", RATES, "1200kbps or 2.5Mbps")


def parse_percent(value: object) -> float:
    """`3%` -> 0.03. A ratio without the sign is refused: 0.5 and 0.5% are a factor of 100 apart."""
    number, unit = _split(value, "percentage", "3% or 0.5%")
    if unit != "%":
        raise ValueError(f"{_quote(value)} has no % sign: write 3% or 0.5%")
    if number > 100:
        raise ValueError(f"{_quote(value)} is more than 100%")
    return float(number / 100)


def parse_clock(value: object) -> int:
    """`19:00` -> 1140 minutes after midnight; `24:00` is the end of the day."""
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{_quote(value)} is not a time of day: write HH:MM, such as 19:00")
    minutes = int(match[1]) * 60 + int(match[2])
    if int(match[2]) > 59 or minutes > 24 * 60:
        raise ValueError(f"{_quote(value)} is not a time of day: it goes from 00:00 to 24:00")
    return minutes


def format_duration(nanoseconds: int) -> str:
    """The largest unit that divides exactly: 30_000_000_000 -> `30s`."""
    return _format(nanoseconds, DURATIONS, "s")


def format_size(size: int) -> str:
    return _format(size, {unit: SIZES[unit] for unit in ("B", "kB", "MB", "GB")}, "B")


def format_rate(bits_per_second: int) -> str:
    return _format(bits_per_second, RATES, "bps")


def format_percent(ratio: float) -> str:
    return f"{ratio * 100:.10g}%"


def format_clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _quantity(value: object, what: str, units: Mapping[str, int], examples: str) -> int:
    number, unit = _split(value, what, examples)
    if not unit:
        raise ValueError(f"{_quote(value)} has no unit: write a {what} such as {examples}")
    if unit not in units:
        similar = [known for known in units if known.lower() == unit.lower()]
        advice = f"did you mean '{similar[0]}'?" if similar else f"use {', '.join(units)}"
        raise ValueError(f"{_quote(value)} has the unknown unit '{unit}': {advice}")
    scaled = number * units[unit]
    if scaled >= _LONGEST:
        raise ValueError(f"{_quote(value)} is too large for a {what}")
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{_quote(value)} is not a whole number of {next(iter(units))}")
    return int(scaled)


def _split(value: object, what: str, examples: str) -> tuple[Decimal, str]:
    if isinstance(value, str) and value.lstrip().startswith("-"):
        raise ValueError(f"{_quote(value)} is negative: a {what} is zero or more")
    plain = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    match = _QUANTITY.fullmatch(str(value)) if plain else None
    if match is None:
        raise ValueError(f"{_quote(value)} is not a {what}: write {examples}")
    return Decimal(match[1]), match[2]


def _format(value: int, units: Mapping[str, int], zero: str) -> str:
    if value == 0:
        return f"0{zero}"
    unit, factor = max(
        ((unit, factor) for unit, factor in units.items() if value % factor == 0), key=lambda item: item[1]
    )
    return f"{value // factor}{unit}"


def _quote(value: object) -> str:
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None:
        return "nothing"
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
