"""What a plan can find out, in words."""

from __future__ import annotations

from probe.analysis.power import Finding
from probe.report.rehearse import power_lines


def lines(days: int = 14, **changes: object) -> list[str]:
    usual: dict[str, object] = {
        "scenario": "voice",
        "network": "clean",
        "transport": "udp",
        "least_days": 6,
        "shifts": {6: 20.0, 14: 12.0, 28: 11.0},
        "half_sessions": 12.5,
        "nodes": 2,
        "left_out": (),
    }
    return list(power_lines([Finding(**(usual | changes))], days))  # type: ignore[arg-type]


def test_what_it_finds_and_how_to_change_the_plan() -> None:
    first, *more = lines()
    assert first == (
        "voice clean udp: detects an evening shift of 12 ms (rtt.p95) with 90 % power in 14 days; "
        "6 days are the least that allow a verdict."
    )
    assert [line.split(":")[0] for line in more] == [
        "  with --days 6",
        "  with --days 28",
        "  with every other session (half the `repeat`)",
    ]
    assert more[-1].endswith("12.5 ms; half as many sessions do")
    assert lines(half_sessions=20.0)[-1].endswith("the number of sessions is needed")


def test_too_few_days_are_told_with_how_many_it_takes() -> None:
    (first, *_) = lines(3, shifts={6: 20.0})
    assert first == (
        "voice clean udp: 6 days are the least that allow a verdict; this campaign has 3: give --days 6 or more."
    )


def test_what_cannot_be_found_says_why() -> None:
    (only,) = lines(shifts={6: None, 14: None, 28: None}, half_sessions=None)
    assert "does not even detect an evening shift of 200 ms with 90 % power in 14 days, and not in 28" in only
    assert "judge its loss and residual, or rtt.p50" in only
    assert "nothing can be said: no node has rtt.p95 in both windows" in lines(nodes=0, least_days=None)[0]
    assert "no verdict on the evening within 60 days" in lines(least_days=None, shifts={})[0]
    assert "alpha/n-1, whose evening loses too many packets" in lines(left_out=("alpha/n-1",))[-1]
