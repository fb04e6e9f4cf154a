"""Recovery: how many lost packets were playable in time, and how long the repair took."""

from __future__ import annotations

import pytest

from probe.analysis.session import analyse_session
from probe.metrics import NEVER
from tests.analysis.made import MS, NODE_AHEAD, crossings, record


def test_recovery_time_is_counted_from_the_expected_arrival() -> None:
    rows = crossings([30.0, 30.0, None, 32.0, None, 30.0, None], [40.0] * 7)
    rows["up_repaired_ns"][2] = rows["sent_ns"][2] + NODE_AHEAD + 150 * MS
    rows["up_repaired_ns"][4] = rows["sent_ns"][4] + NODE_AHEAD + 350 * MS  # past the deadline
    found = analyse_session(record(deadline_ns=200 * MS), rows).up
    assert (found.lost, found.recovered, found.residual) == (3, 1, 2)
    assert found.recovered_ratio == pytest.approx(1 / 3)
    assert (found.recovery_ms.n, found.recovery_ms.min, found.recovery_ms.max) == (3, 120, 320)
    assert found.recovery_ms.p50 == 320
    assert found.recovery_ms.infinite == ("p90", "p95", "p99", "p99_9")


def test_the_reference_is_the_median_of_the_same_second() -> None:
    first: list[float | None] = [30.0] * 50
    second: list[float | None] = [60.0] * 50
    first[10] = second[10] = None
    rows = crossings([40.0] * 100, first + second)
    rows["down_repaired_ns"][10] = rows["node_sent_ns"][10] - NODE_AHEAD + 100 * MS
    rows["down_repaired_ns"][60] = rows["node_sent_ns"][60] - NODE_AHEAD + 100 * MS
    found = analyse_session(record(), rows).down
    assert found is not None
    assert (found.recovery_ms.min, found.recovery_ms.max) == pytest.approx((40, 70))


def test_a_second_without_arrivals_uses_all() -> None:
    up: list[float | None] = [30.0] * 50 + [None] * 50
    rows = crossings(up, [40.0] * 100)
    rows["up_repaired_ns"][75] = rows["sent_ns"][75] + NODE_AHEAD + 90 * MS
    found = analyse_session(record(), rows).up
    assert (found.recovery_ms.n, found.recovery_ms.min) == (50, 60)


def test_a_late_packet_counts_with_its_repair_only() -> None:
    rows = crossings([30.0, 330.0, 330.0], [40.0] * 3)
    rows["up_repaired_ns"][1] = rows["sent_ns"][1] + NODE_AHEAD + 100 * MS
    found = analyse_session(record(deadline_ns=200 * MS), rows).up
    assert (found.late, found.recovered, found.residual, found.recovery_ms.n) == (2, 1, 1, 1)


def test_a_repair_beyond_t_max_never_came() -> None:
    rows = crossings([30.0, None], [40.0] * 2)
    rows["up_repaired_ns"][1] = rows["sent_ns"][1] + NODE_AHEAD + 2100 * MS
    found = analyse_session(record(), rows).up
    assert (found.recovery_ms.n, found.recovery_ms.max) == (1, None)
    assert "p50" in found.recovery_ms.infinite


def test_nothing_lost_is_no_data() -> None:
    found = analyse_session(record(), crossings([30.0] * 5, [40.0] * 5)).up
    assert (found.recovered_ratio, found.recovery_ms.n, found.recovery_ms.p95) == (None, 0, None)


def test_everything_lost_has_a_repair_time_of_nothing() -> None:
    rows = crossings([None] * 5, [None] * 5)
    rows["up_repaired_ns"] = rows["sent_ns"] + NODE_AHEAD + 100 * MS
    found = analyse_session(record(), rows)
    assert (found.up.lost, found.up.residual, found.up.loss_ratio) == (5, 5, 1.0)
    assert (rows["received_ns"] == NEVER).all()
    assert (found.rtt_ms.p50, found.rtt_ms.infinite[0]) == (None, "p50")
