"""The strip of a day."""

from __future__ import annotations

from typing import Any

from probe.analysis.admission import examine
from probe.analysis.hours import days_of_nodes, hours_in_words, windows_of
from probe.report.strip import strip
from tests.analysis.made import steady, summary

MANIFEST: dict[str, Any] = {"plan": {"plan": {"windows": {"peak": {"start": "19:00", "end": "23:00"}}}}}


def at(hour: int, up: float = 30, **changes: Any) -> Any:
    local = f"2026-11-22T{hour:02}:10:00+07:00"
    return summary(steady(100, up, 40, **changes.pop("lost", {})), local_time=local, **changes)


def test_a_day_has_its_peak_shaded_and_its_gaps_shown() -> None:
    sessions = examine([at(4), at(20, 240), at(21, 120, lost={"lost_up": 20}), at(20, 240, index=1)])
    (day,) = days_of_nodes(sessions, windows_of(MANIFEST))
    assert (day.values[4], day.values[20], day.values[21], day.infinite) == (70, 280, None, (21,))
    assert (day.sessions[20], [hour for hour in range(24) if day.peak[hour]]) == (2, [19, 20, 21, 22])
    scale, line, below = strip([day])
    name = "alpha/jkt-1  "
    assert line.plain == f"{name}····▃···············█∞··  70.0 ms to 280.0 ms"[: len(line.plain)]
    assert below.plain.strip() == "▔▔▔▔ evening peak"
    assert below.plain.index("▔") == len(name) + 19
    assert scale.plain.startswith(" " * len(name) + "0     6     12    18")
    shaded = [span for span in line.spans if "grey23" in str(span.style)]
    assert len(shaded) == 4


def test_emulated_sessions_stand_where_their_window_opens() -> None:
    (day,) = days_of_nodes(examine([at(3, emulated=True)]), windows_of(MANIFEST))
    assert day.values[19] == 70
    assert not list(strip([]))


def test_hours_in_words() -> None:
    assert hours_in_words((19 * 60, 23 * 60)) == "19-23 h"
    assert hours_in_words((18 * 60 + 30, 22 * 60)) == "18:30-22 h"
