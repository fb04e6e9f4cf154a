"""What `probe analyze` was asked for on the command line, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from probe.errors import ConfigError
from probe.plan.scalars import parse_duration

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """None is not given. `stream` counts from 1; `one_way_ms` is the least and most that it can be."""

    interval_ns: int | None = None
    clock_hz: int | None = None
    deadline_ns: int | None = None
    one_way_ms: tuple[float, float] | None = None
    codec: str | None = None
    remove_skew: bool = False
    stream: int | None = None


def wanted(
    *,
    interval: str | None = None,
    clock_hz: int | None = None,
    deadline: str | None = None,
    one_way: str | None = None,
    codec: str | None = None,
    remove_skew: bool = False,
    stream: int | None = None,
) -> Wanted:
    """Raises ConfigError that names the option."""
    interval_ns = _given("--interval", interval, parse_duration)
    if interval_ns == 0:
        raise ConfigError("--interval 0ms: a packet takes some time", hint="for example --interval 20ms")
    return Wanted(
        interval_ns=interval_ns,
        clock_hz=clock_hz,
        deadline_ns=_given("--deadline", deadline, parse_duration),
        one_way_ms=_given("--one-way", one_way, _range_ms),
        codec=codec,
        remove_skew=remove_skew,
        stream=stream,
    )


def _given(option: str, text: str | None, parse: Callable[[str], T]) -> T | None:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None


def _range_ms(text: str) -> tuple[float, float]:
    """`40ms`, or `0ms..80ms`."""
    low, dots, high = text.partition("..")
    ends = parse_duration(low.strip()), parse_duration((high if dots else low).strip())
    if ends[0] > ends[1]:
        raise ValueError(f"'{text}' ends before it begins")
    return ends[0] / 1e6, ends[1] / 1e6
