"""The table from raw loss to residual: what it says, and when it says nothing."""

from __future__ import annotations

import math
from dataclasses import replace

from probe.analysis.repairs import AtDeadline, Repairs
from probe.analysis.results import Direction, SessionSummary
from probe.report.remedies import has_repairs
from tests.report.samples import assessment, direction, lossy, session
from tests.report.test_tables import line, part, printed


def repaired(way: Direction, *, buffer_ms: float | None, overhead: float | None, **by: int) -> Direction:
    told = {"nack": 0, "fec": 0, "red": 0, "quic": 0} | by
    rows = [AtDeadline(ms * 1_000_000, 1000, 80, 0, told) for ms in (60, 100, 150, 200, 400, 600, 1000)]
    scheduled = AtDeadline(200_000_000, way.sent, way.lost, way.late, told)
    return replace(way, repairs=Repairs(scheduled, tuple(rows), buffer_ms, overhead))


def protected() -> SessionSummary:
    base = lossy(red=2, fec_k=5, nack=False)
    up = repaired(
        replace(base.up, lost=148, late=2, sent=1500), buffer_ms=math.inf, overhead=1.6834, fec=30, red=45
    )
    down = repaired(direction(0, 0, 0), buffer_ms=87.25, overhead=None)
    return replace(base, up=up, down=down)


def test_raw_less_remedies_is_residual() -> None:
    text = part(printed(assessment(sessions=(protected(),)), 200), "Recovery by remedy")
    head = " ".join(text.splitlines()[2:4])
    assert "fec" in head
    assert "red" in head
    assert "nack" not in head  # nobody used it
    assert line(text, "↑ up").split("↑ up ")[1] == "10.00 2.00 3.00 5.00 1.68x " + "0.50 " * 7 + "∞"
    assert line(text, "↓ down").startswith("↓ down 0.00 0.00 0.00 0.00 –")
    assert line(text, "↓ down").endswith("87.2")


def test_a_remedy_that_a_session_did_not_use_has_no_data() -> None:
    one = protected()
    plain = session(scenario="video", nack=True)
    plain = replace(plain, up=repaired(plain.up, buffer_ms=40.0, overhead=1.02, nack=9), down=None)
    text = part(printed(assessment(sessions=(one, plain)), 200), "Recovery by remedy")
    assert "0.67 0.60 – – 0.07" in line(text, "video", "↑ up")


def test_a_session_without_trouble_or_protection_is_not_in_it() -> None:
    clean = session()
    clean = replace(clean, up=repaired(direction(0, 0, 0), buffer_ms=10.0, overhead=1.0), down=None)
    assert not has_repairs(clean)
    assert has_repairs(replace(clean, record=replace(clean.record, red=1)))
    assert "Recovery by remedy" not in printed(assessment(sessions=(clean,)))
