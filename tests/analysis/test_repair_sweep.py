"""The sweep of deadlines against a packet-by-packet account of the same rows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from probe.analysis.fates import fates_of
from probe.analysis.one_way import directions
from probe.analysis.playout import BUFFERS_NS
from probe.analysis.repair_sweep import repairs
from probe.analysis.repairs import Repairs
from probe.metrics import NEVER, T_MAX_NS, Repair, Rows
from tests.analysis.made import MS, NODE_AHEAD, crossings, noisy, record, steady, summary

NAMES = {Repair.RTX: "nack", Repair.FEC: "fec", Repair.RED: "red", Repair.QUIC: "quic"}


def found(rows: Rows, name: str = "up", **changes: Any) -> Repairs:
    up, down, _ = directions(rows)
    about = record(**changes)
    fates = fates_of(about, rows, up, down)
    outcome = fates.up if name == "up" else fates.down
    assert outcome is not None
    return repairs(about, rows, up if name == "up" else down, outcome, name)


@pytest.mark.parametrize("name", ["up", "down"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_sweep_is_what_counting_packet_by_packet_gives(name: str, seed: int) -> None:
    rows = noisy(600, seed, loss=0.1)
    up, down, _ = directions(rows)
    way = up if name == "up" else down
    left = [packet for packet in range(len(rows)) if way.departed[packet] != NEVER]
    first, last = int(way.departed[left].min()), int(way.departed[left].max())
    sweep = found(rows, name).sweep
    assert [row.deadline_ns for row in sweep] == list(BUFFERS_NS)
    for row in sweep:
        lost = late = n = 0
        by = dict.fromkeys(NAMES.values(), 0)
        for packet in left:
            departed = int(way.departed[packet])
            if departed < first + row.deadline_ns or departed >= last + 20 * MS - T_MAX_NS:
                continue
            n += 1
            excess, mended = int(way.excess[packet]), int(way.repair_excess[packet])
            if excess != NEVER and excess <= row.deadline_ns:
                continue
            lost, late = (lost + 1, late) if excess == NEVER else (lost, late + 1)
            if mended != NEVER and mended <= row.deadline_ns:
                by[NAMES[Repair(int(rows[f"{name}_repair"][packet]))]] += 1
        assert (row.n, row.lost, row.late, dict(row.recovered_by)) == (n, lost, late, by)
        assert row.lost + row.late == row.recovered + row.residual
        assert row.to_json()["residual_ratio"] == row.residual / n


@pytest.mark.parametrize("seed", [1, 2])
def test_at_the_scenarios_deadline_remedies_add_up_to_what_the_session_recovered(seed: int) -> None:
    session = summary(noisy(500, seed))
    for way in (session.up, session.down):
        assert way is not None
        document = way.to_json()
        assert sum(document["recovered_by"].values()) == document["recovered"] > 0
        assert document["lost"] + document["late"] == document["recovered"] + document["residual"]


def test_beginning_and_end_are_left_out() -> None:
    rows = steady(300)  # 6 s
    assert [row.n for row in found(rows).sweep] == [
        200 - math.ceil(ms / 20) for ms in (60, 100, 150, 200, 400, 600, 1000)
    ]
    short = found(steady(90))  # 1.8 s: nothing has settled
    assert [row.n for row in short.sweep] == [0] * 7
    assert short.to_json()["deadlines"][0]["residual_ratio"] is None
    assert short.to_json()["required_buffer"] == {"residual_ratio": 0.01, "ms": None, "infinite": False}


def test_the_required_buffer_is_the_latest_repair_that_is_needed() -> None:
    up: list[float | None] = [30.0] * 500
    lost = range(100, 110)  # 2 to 2.2 s
    for packet in lost:
        up[packet] = None
    rows = crossings(up, [40.0] * 500)
    assert found(rows).buffer_ms == math.inf
    document = found(rows).to_json()["required_buffer"]
    assert (document["ms"], document["infinite"]) == (None, True)
    # Of 390 settled packets (10 s without 0.2 s and 2 s) one in a hundred may be missed: 3 of the 10.
    for number, packet in enumerate(lost):
        rows["up_repaired_ns"][packet] = rows["sent_ns"][packet] + NODE_AHEAD + (30 + 50 + 10 * number) * MS
        rows["up_repair"][packet] = Repair.FEC
    assert found(rows).buffer_ms == 50 + 10 * 6


def test_the_overhead_is_bytes_sent_by_bytes_of_media() -> None:
    rows = steady(100)  # 120 bytes each
    client = {"retransmission_bytes": 244, "red_bytes": 6000, "fec_bytes": 2756}
    assert found(rows, client=client).overhead_ratio == 1 + 9000 / 12_000
    assert found(rows, "down", client=client).overhead_ratio is None  # a node that does not tell
    counters = {"retransmission_bytes": 0, "quic_repeated_bytes": 1200}
    assert found(rows, "down", counters=counters).overhead_ratio == 1.1
    nothing = crossings([None] * 5, [40.0] * 5)
    assert found(nothing, "down", counters=counters).overhead_ratio is None


def test_repairs_of_nothing() -> None:
    document = found(crossings([None] * 200, [40.0] * 200), "down").to_json()
    assert document["recovered_by"] == {"nack": 0, "fec": 0, "red": 0, "quic": 0}
    assert [row["n"] for row in document["deadlines"]] == [0] * 7
    assert document["required_buffer"]["ms"] is None
