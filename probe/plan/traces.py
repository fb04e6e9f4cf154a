"""Recorded networks in the formats that others write: text -> the emulator's own values.

mahimahi's delivery opportunities (a line a millisecond stamp), the JSON of OpenNetLab's gym
(`trace_pattern`, for calls), CSV with units in its header, and `tc`'s delay tables. Every mistake is a
`ValueError` that begins with `file:line:`.
"""

from __future__ import annotations

import csv
import json
import math
from itertools import pairwise
from typing import Any

from probe.impairment.course import Delivery
from probe.impairment.events import MAX_TABLE

LONGEST_TRACE = 1_000_000
"""Lines of a trace; mahimahi's own have some 300,000."""

_COLUMNS = {"time_s", "duration_ms", "rate_kbps", "delay_ms", "jitter_ms", "loss_percent"}
_GYM = {"duration", "capacity", "loss", "rtt", "jitter", "time"}

Segment = dict[str, Any]
"""One condition of a recorded network, as a step of a time line is written in a profile."""


def parse_mahimahi(text: str, file: str, *, loop: bool) -> Delivery:
    """Integer milliseconds, one a line, never falling; each lets 1504 bytes through."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if not line.strip().isdecimal():
            raise ValueError(f"{file}:{number}: '{line.strip()[:30]}' is not a number of milliseconds")
        found.append(int(line))
        if len(found) > 1 and found[-1] < found[-2]:
            raise ValueError(f"{file}:{number}: {found[-1]} ms comes after {found[-2]} ms: times never fall")
        if len(found) > LONGEST_TRACE:
            raise ValueError(f"{file}:{number}: the trace is longer than {LONGEST_TRACE} lines")
    if not found or found[-1] == 0:
        raise ValueError(f"{file}:1: the trace has no opportunity after 0 ms")
    return Delivery(file.rpartition("/")[2], tuple(found), loop)


def parse_gym(text: str, file: str, part: str | None) -> list[Segment]:
    """OpenNetLab's JSON: `part` is `uplink` or `downlink`, needed where both have a pattern.

    Durations and times are milliseconds, capacity kbit/s, loss a ratio; half the round trip is the delay.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}:{error.lineno}: {error.msg}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{file}:1: a trace is a JSON object with uplink or downlink")  # noqa: TRY004
    parts = [name for name in ("uplink", "downlink") if _pattern(document.get(name))]
    if part is None and len(parts) > 1:
        raise ValueError(f"{file}:1: both ways have a trace: say which with `part: uplink`")
    if not parts or (part is not None and part not in parts):
        which = "neither uplink nor downlink has a" if part is None else f"{part} has no"
        raise ValueError(f"{file}:1: {which} trace_pattern")
    name = part or parts[0]
    pattern = _pattern(document.get(name))
    lines = _lines_of(text, name, len(pattern))
    return [
        _gym_segment(item, f"{file}:{line}: {name} segment {number}")
        for number, (item, line) in enumerate(zip(pattern, lines, strict=True), 1)
    ]


def _lines_of(text: str, part: str, segments: int) -> list[int]:
    """The line on which each segment of a part begins; Python's reader of JSON keeps no places.

    The first line where the file is laid out in another way than these files are.
    """
    decoder, lines = json.JSONDecoder(), []
    at = text.find("[", text.find('"trace_pattern"', text.find(f'"{part}"'))) + 1
    try:
        for _ in range(segments):
            while text[at] in " \t\r\n,":
                at += 1
            lines.append(text.count("\n", 0, at) + 1)
            _, at = decoder.raw_decode(text, at)
    except (ValueError, IndexError):
        return [1] * segments
    return lines


def _pattern(part: Any) -> list[Any]:
    pattern = part.get("trace_pattern") if isinstance(part, dict) else None
    return pattern if isinstance(pattern, list) else []


def _gym_segment(item: Any, place: str) -> Segment:
    if not isinstance(item, dict):
        raise ValueError(f"{place} is not an object")  # noqa: TRY004
    unknown = sorted(set(item) - _GYM)
    if unknown:
        raise ValueError(f"{place}: the field '{unknown[0]}' is unknown")
    if "duration" not in item:
        raise ValueError(f"{place} has no duration")
    value = {key: _plain(item.get(key, 0), f"{place}: {key}") for key in _GYM - {"time"}}
    if value["loss"] > 1:
        raise ValueError(f"{place}: a loss of {value['loss']:g} is no ratio: give 0 to 1")
    given: dict[str, float | None] = {
        "rate": value["capacity"] * 1000 if "capacity" in item else None,
        "delay": value["rtt"] / 2 if "rtt" in item else None,
        "jitter": value["jitter"] if "jitter" in item else None,
        "loss": value["loss"] * 100 if "loss" in item else None,
    }
    return _segment(value["duration"], given, place)


def parse_csv(text: str, file: str) -> list[Segment]:
    """A header of names with units; `duration_ms`, or `time_s` of each row's begin (the last lasts as long as
    the one before)."""
    lines = text.splitlines()
    rows = [(number, row) for number, row in enumerate(csv.reader(lines), 1) if row and row[0][:1] != "#"]
    if not rows:
        raise ValueError(f"{file}:1: the trace is empty")
    (first, header), *rows = rows
    names = [name.strip() for name in header]
    unknown = [name for name in names if name not in _COLUMNS]
    if unknown:
        raise ValueError(
            f"{file}:{first}: the column '{unknown[0]}' is unknown: use {', '.join(sorted(_COLUMNS))}"
        )
    if ("time_s" in names) == ("duration_ms" in names):
        raise ValueError(f"{file}:{first}: a trace has the column time_s or duration_ms, one of the two")
    table = []
    for number, row in rows:
        if len(row) != len(names):
            raise ValueError(f"{file}:{number}: {len(row)} values for {len(names)} columns")
        place = f"{file}:{number}"
        values = {name: _plain(text, f"{place}: {name}") for name, text in zip(names, row, strict=True)}
        table.append((place, values))
    return [
        _segment(
            length,
            {
                "rate": values["rate_kbps"] * 1000 if "rate_kbps" in values else None,
                "delay": values.get("delay_ms"),
                "jitter": values.get("jitter_ms"),
                "loss": values.get("loss_percent"),
            },
            place,
        )
        for length, (place, values) in zip(_lengths(table), table, strict=True)
    ]


def _lengths(table: list[tuple[str, dict[str, float]]]) -> list[float]:
    """How long each row holds, in milliseconds."""
    if table and "duration_ms" in table[0][1]:
        return [values["duration_ms"] for _, values in table]
    if len(table) < 2:
        place = table[0][0] if table else "the trace"
        raise ValueError(f"{place}: one row with a time has no length: give two, or use duration_ms")
    lengths = []
    for (_, values), (place, following) in pairwise(table):
        length = round((following["time_s"] - values["time_s"]) * 1000, 6)
        if length <= 0:
            raise ValueError(f"{place}: {following['time_s']:g} s does not come after {values['time_s']:g} s")
        lengths.append(length)
    return [*lengths, lengths[-1]]


def _segment(length_ms: float, given: dict[str, float | None], place: str) -> Segment:
    if length_ms <= 0:
        raise ValueError(f"{place}: a segment of {length_ms:g} ms has no length")
    segment: Segment = {"for": f"{round(length_ms * 1e6)}ns"}
    rate = given["rate"]
    if rate is not None and rate < 8:
        segment["outage"] = "hold"  # no capacity is a link that stands still, not one that loses all
    elif rate is not None:
        segment["rate"] = f"{round(rate)}bps"
    for key in ("delay", "jitter"):
        if (value := given[key]) is not None:
            segment[key] = f"{round(value * 1e6)}ns"
    if (loss := given["loss"]) is not None:
        segment["loss"] = f"{loss:.10g}%"
    return segment


def _plain(value: Any, place: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{place} is '{value}', not a number") from None
    if isinstance(value, bool) or not math.isfinite(number) or number < 0:
        raise ValueError(f"{place} is {value}: give a number of 0 or more")
    return number


def parse_table(text: str, file: str) -> tuple[int, ...]:
    """tc's delay distribution: whole numbers, lines with `#` are comments; 8192 is one jitter."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#")[0].split():
            if not word.removeprefix("-").isdecimal() or not -32768 <= int(word) <= 32767:
                raise ValueError(f"{file}:{number}: '{word[:30]}' is not a whole number from -32768 to 32767")
            found.append(int(word))
        if len(found) > MAX_TABLE:
            raise ValueError(f"{file}:{number}: the table is longer than {MAX_TABLE} values")
    if not found:
        raise ValueError(f"{file}:1: the table is empty")
    return tuple(found)
