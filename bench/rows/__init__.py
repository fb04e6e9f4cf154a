"""The comparisons, in the order of the table of figures."""

from __future__ import annotations

from collections.abc import Callable

from bench.comparison import Comparison
from bench.rows import (
    analyze_table,
    busy_main,
    call_capacity,
    call_cpu,
    help_wall,
    interval,
    memory,
    receive,
    reflect,
    relay_ceiling,
    relay_error,
    round_trip,
    round_trip_busy,
    round_trip_user,
    send,
    thousand_calls,
)

ROWS: tuple[Callable[[], Comparison], ...] = (
    send.comparison,
    receive.comparison,
    reflect.comparison,
    round_trip.comparison,
    round_trip_busy.comparison,
    round_trip_user.comparison,
    interval.comparison,
    thousand_calls.comparison,
    busy_main.comparison,
    call_capacity.comparison,
    call_cpu.comparison,
    relay_error.comparison,
    relay_ceiling.comparison,
    help_wall.comparison,
    memory.comparison,
    analyze_table.comparison,
)


def comparisons() -> list[Comparison]:
    return [make() for make in ROWS]
