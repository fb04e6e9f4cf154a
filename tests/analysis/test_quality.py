"""A measurement is graded on itself before it judges anybody."""

from __future__ import annotations

from typing import Any

import pytest

from probe.analysis.quality import LIMITS, worst_grade
from probe.metrics import NEVER, Stamp, Unsent
from tests.analysis.made import MS, steady, summary

ALL_FOUR = Stamp.SENT | Stamp.NODE_RECEIVED | Stamp.NODE_SENT | Stamp.RECEIVED


def late_rows(unsent: int) -> Any:
    rows = steady(1000)
    rows["unsent"][:unsent] = Unsent.HOST_LATE
    for name in ("sent_ns", "node_received_ns", "node_sent_ns", "received_ns"):
        rows[name][:unsent] = NEVER
    return rows


@pytest.mark.parametrize(
    ("unsent", "grade"), [(10, "good"), (11, "degraded"), (50, "degraded"), (51, "invalid")]
)
def test_packets_we_were_too_late_for(unsent: int, grade: str) -> None:
    found = summary(late_rows(unsent))
    assert found.grade == grade
    assert [reason["code"] for reason in found.quality["reasons"]] == ["host_late"] * (grade != "good")


def stamped(bits: int = ALL_FOUR) -> Any:
    rows = steady(1000)
    rows["stamps"] = bits
    return rows


@pytest.mark.parametrize(
    ("changes", "code", "grade"),
    [
        ({"counters": {"policed": 1}}, "policed", "degraded"),
        ({"counters": {"policed": 2}}, "policed", "invalid"),
        ({"client": {"socket_dropped": 1}}, "socket_dropped", "degraded"),
        ({"counters": {"socket_dropped": 1}, "client": {"socket_dropped": 1}}, "socket_dropped", "invalid"),
        ({"quality": {"stall_ms": 21}}, "stall", "degraded"),
        ({"quality": {"steal_ratio": 0.06}}, "steal", "degraded"),
        ({"quality": {"clock_step_ms": -101}}, "clock_step", "degraded"),
        ({"quality": {"backlog_dropped": 1}}, "backlog_dropped", "degraded"),
        ({"quality": {"stall_ms": 1001}}, "stall", "invalid"),
        ({"quality": {"steal_ratio": 0.21}}, "steal", "invalid"),
        ({"counters": {"stall_ns": 21 * MS}}, "node_stall", "degraded"),
        ({"counters": {"stall_ns": 1001 * MS}}, "node_stall", "invalid"),
        ({"counters": {"steal_ratio": 0.06}}, "node_steal", "degraded"),
        ({"counters": {"steal_ratio": 0.21}}, "node_steal", "invalid"),
        ({"counters": {"backlog_dropped": 1}}, "node_backlog_dropped", "degraded"),
        ({"counters": {"clock_step_ns": -101 * MS}}, "node_clock_step", "degraded"),
        ({"impairment": {"socket_dropped": 2}}, "socket_dropped", "invalid"),
        ({"impairment": {"overrun": 1}}, "relay_dropped", "degraded"),
        ({"impairment": {"overrun": 1, "unsent": 1}}, "relay_dropped", "invalid"),
        ({"impairment": {"lateness": {"n": 9, "p99_us": 5001.0}}}, "relay_late", "degraded"),
        ({"impairment": {"excess": {"up": None, "down": 1.5}}}, "network_off", "degraded"),
    ],
)
def test_limits(changes: dict[str, Any], code: str, grade: str) -> None:
    found = summary(stamped(), **changes)
    assert (found.grade, [reason["code"] for reason in found.quality["reasons"]]) == (grade, [code])
    assert all(reason["value"] > reason["limit"] for reason in found.quality["reasons"])


@pytest.mark.parametrize(("lost", "grade"), [(9, "invalid"), (10, "degraded"), (0, "degraded")])
def test_what_our_side_dropped_is_not_the_paths_loss(lost: int, grade: str) -> None:
    """A few drops among many losses change little; on a good path they are all there is."""
    rows = steady(1000, lost_up=lost)
    rows["stamps"] = ALL_FOUR
    dropped = (
        {"client": {"socket_dropped": 1}},
        {"counters": {"policed": 1}},
        {"impairment": {"overrun": 1}},
    )
    for changes in dropped:
        found = summary(rows, **changes)
        assert found.grade == grade
        codes = [reason["code"] for reason in found.quality["reasons"]]
        assert ("lost_to_us" in codes) == (grade == "invalid")


def test_a_stall_is_in_the_delay_where_the_kernel_stamps_no_arrivals() -> None:
    ours, theirs = {"quality": {"stall_ms": 101.0}}, {"counters": {"stall_ns": 101 * MS}}
    for changes, stamp in ((ours, Stamp.RECEIVED), (theirs, Stamp.NODE_RECEIVED)):
        assert summary(stamped(), **changes).grade == "degraded"
        assert summary(stamped(stamp), **changes).grade == "degraded"
        found = summary(stamped(ALL_FOUR & ~stamp), **changes)
        reasons = {reason["code"]: reason["grade"] for reason in found.quality["reasons"]}
        assert (found.grade, reasons["stall_in_delay"]) == ("invalid", "invalid")


def test_what_a_node_tells_of_its_host_is_told() -> None:
    quality = summary(steady(10), counters={"steal_ratio": 0.01, "cpu_share": 0.2}).quality
    assert (quality["node_steal_ratio"], quality["node_cpu_share"]) == (0.01, 0.2)
    older = summary(steady(10), counters={"stall_ns": 0}).quality
    assert (older["node_steal_ratio"], older["drops"]["node_backlog"]) == (None, None)
    assert summary(steady(10), counters={"stall_ns": 0}).grade == "good"


def test_a_drop_is_counted_once_and_where_it_was() -> None:
    # The node's own count comes in its reflections, too.
    found = summary(
        steady(1000),
        counters={"policed": 3, "socket_dropped": 1},
        client={"policed": 3, "node_socket_dropped": 1, "socket_dropped": 2},
        impairment={"socket_dropped": 4},
    )
    assert (found.counts["policed"], found.counts["socket_dropped"]) == (3, 7)
    drops = found.quality["drops"]
    assert [drops[f"{place}_socket"] for place in ("client", "relay", "node")] == [2, 4, 1]
    # A node that died has told in its reflections alone.
    gone = summary(steady(1000), client={"policed": 3, "node_socket_dropped": 1, "socket_dropped": 2})
    assert (gone.counts["policed"], gone.counts["socket_dropped"]) == (3, 3)


def test_the_path_of_quic_does_not_make_us_late() -> None:
    rows = steady(1000)
    rows["scheduled_ns"] -= 50 * MS  # waited for the congestion window
    told = {"lateness_n": 1000, "lateness_p50_ms": 0.1, "lateness_p99_ms": 0.4, "lateness_max_ms": 2.0}
    found = summary(rows, quality=told, transport="quic-stream")
    assert found.grade == "good"
    assert found.quality["lateness_ms"] == {"n": 1000, "p50": 0.1, "p99": 0.4, "max": 2.0}
    assert summary(rows, quality=told).grade == "degraded"


def test_the_rate_that_left_of_the_rate_asked_for() -> None:
    found = summary(steady(1000), quality={"asked_pps": 50.0, "rate_ratio": 0.98})
    assert found.quality["rate_pps"] == {"asked": 50.0, "sent": 49.0}
    assert summary(steady(10)).quality["rate_pps"] == {"asked": None, "sent": None}


def test_what_was_not_observed_is_not_judged() -> None:
    assert summary(steady(1000), quality={"stall_ms": 20, "steal_ratio": 0.0}).grade == "good"
    assert len({limit.code for limit in LIMITS}) == len(LIMITS)


def test_lateness_of_sending() -> None:
    rows = steady(1000)
    rows["scheduled_ns"][:20] -= 6 * MS
    found = summary(rows)
    assert [reason["code"] for reason in found.quality["reasons"]] == ["lateness_p99"]
    assert found.quality["lateness_ms"] == {"n": 1000, "p50": 0.0, "p99": 6.0, "max": 6.0}


def test_a_missing_log_degrades() -> None:
    assert [r["code"] for r in summary(steady(1000, lost_up=3), outcome="died").quality["reasons"]] == [
        "log_missing"
    ]


def test_a_completed_session_that_sent_nothing_is_invalid() -> None:
    rows = late_rows(1000)
    rows["unsent"] = Unsent.CC_LIMITED
    assert summary(rows).grade == "invalid"


def test_stamp_sources() -> None:
    rows = steady(10)
    rows["stamps"] = Stamp.RECEIVED
    rows["stamps"][0] |= Stamp.NODE_RECEIVED
    sources = summary(rows).quality["stamps"]
    assert sources == {"sent": "user", "node_received": "mixed", "node_sent": "user", "received": "kernel"}
    nothing = late_rows(1000)
    assert set(summary(nothing).quality["stamps"].values()) == {None}


def test_the_worst_grade_counts() -> None:
    assert worst_grade(["good", "invalid", "degraded"]) == "invalid"
    assert worst_grade([]) == "good"
