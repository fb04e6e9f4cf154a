"""Every packet has one fate, and the sums close."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.analysis.fates import fates_of
from probe.analysis.one_way import directions
from probe.analysis.results import Direction, SessionSummary
from probe.analysis.session import analyse_session
from probe.metrics import NEVER, Fate, Rows, Unsent, empty_rows
from tests.analysis.made import MS, NODE_AHEAD, START, crossings, record

DELAYS = st.one_of(st.none(), st.integers(1, 90), st.integers(150, 400), st.integers(1500, 2600))
PACKETS = st.lists(
    st.fixed_dictionaries(
        {
            "unsent": st.sampled_from([0, 0, 0, 0, 0, 1, 2, 3]),
            "up": DELAYS,
            "reflected": st.booleans(),
            "down": DELAYS,
            "up_repair": DELAYS,
            "down_repair": DELAYS,
            "duplicates": st.integers(0, 3),
        }
    ),
    max_size=40,
)


def random_rows(packets: list[dict[str, Any]], streams: int) -> Rows:
    """Anything that can happen to packets: loss, delay beyond any limit, copies, repairs, reordering."""
    rows = empty_rows(len(packets))
    rows["stream"] = np.sort(np.arange(len(packets)) % streams)
    rows["seq"] = np.arange(len(packets))
    rows["scheduled_ns"] = START + np.arange(len(packets)) * 20 * MS
    for row, packet in zip(rows, packets, strict=True):
        row["unsent"] = packet["unsent"]
        if packet["unsent"]:
            continue
        sent = row["sent_ns"] = row["scheduled_ns"] + 1000
        arrivals = [packet["up"], packet["up_repair"]]
        if packet["up"] is not None:
            row["node_received_ns"] = sent + packet["up"] * MS + NODE_AHEAD
        if packet["up_repair"] is not None:
            row["up_repaired_ns"] = sent + packet["up_repair"] * MS + NODE_AHEAD
        first = min((delay for delay in arrivals if delay is not None), default=None)
        if first is None or not packet["reflected"]:
            continue
        row["node_sent_ns"] = sent + first * MS + NODE_AHEAD
        row["down_seq"] = row["seq"]
        row["up_duplicates"] = row["down_duplicates"] = packet["duplicates"]
        if packet["down"] is not None:
            row["received_ns"] = sent + (first + packet["down"]) * MS
        if packet["down_repair"] is not None:
            row["down_repaired_ns"] = sent + (first + packet["down_repair"]) * MS
    return rows


def closes(direction: Direction) -> bool:
    return direction.lost + direction.late == direction.recovered + direction.residual


@pytest.mark.slow
@settings(max_examples=200)
@given(PACKETS, st.integers(1, 3), st.booleans(), st.sampled_from(["completed", "died"]), st.integers(0, 900))
def test_the_identities_hold_whatever_happens(
    packets: list[dict[str, Any]], streams: int, one_way: bool, outcome: str, log_until_ms: int
) -> None:
    rows = random_rows(packets, streams)
    client = {} if outcome == "completed" else {"log_until_ns": START + log_until_ms * MS}
    found = analyse_session(record(one_way=one_way, outcome=outcome, client=client), rows)
    counts = found.counts
    assert counts["scheduled"] == len(packets) == counts["unsent"] + counts["sent"]
    reasons = ("unsent_host_late", "unsent_cc_limited", "unsent_aborted")
    assert counts["unsent"] == sum(counts[name] for name in reasons)
    fates = ("on_time", "late", "lost_up", "lost_down", "lost_unknown")
    assert counts["sent"] == sum(counts[name] for name in fates)
    assert closes(found.up)
    assert found.up.lost == counts["lost_up"]
    assert found.up.sent == counts["sent"] - counts["lost_unknown"]
    assert found.rtt_ms.n == (0 if one_way else counts["sent"])
    if found.down is not None:
        assert closes(found.down)
        assert found.down.sent <= counts["sent"]
        assert found.down.pdv_ms.n == found.down.sent
    if outcome == "completed":
        assert counts["lost_unknown"] == 0
    found.to_json()


@pytest.mark.slow
@given(PACKETS, st.integers(1, 3), st.integers(0, 2**32))
def test_the_order_of_stored_rows_means_nothing(
    packets: list[dict[str, Any]], streams: int, seed: int
) -> None:
    rows = random_rows(packets, streams)
    shuffled = np.random.default_rng(seed).permutation(rows)
    assert analyse_session(record(), shuffled).to_json() == analyse_session(record(), rows).to_json()


def analysed(up: list[float | None], down: list[float | None], **changes: Any) -> SessionSummary:
    return analyse_session(record(**changes), crossings(up, down))


def test_t11b_residual_against_the_deadline() -> None:
    delays: list[float | None] = [68, 68, 68, 68, 150, 68, 68, 90, None, 68]
    back: list[float | None] = [40.0] * 10
    for deadline_ms, residual in ((20, 0.3), (40, 0.2), (60, 0.2), (100, 0.1)):
        assert analysed(delays, back, deadline_ns=deadline_ms * MS).up.residual_ratio == residual


def test_t49_loss_is_split_by_direction() -> None:
    up: list[float | None] = [30.0] * 10
    down: list[float | None] = [40.0] * 10
    up[2] = None
    down[5] = None  # the reflector's own number 4
    found = analysed(up, down)
    assert found.down is not None
    assert (found.up.loss_ratio, found.down.loss_ratio, found.loss_ratio) == (0.1, 1 / 9, 0.2)
    assert (found.counts["lost_up"], found.counts["lost_down"]) == (1, 1)


def fates(rows: Rows, **changes: Any) -> list[Fate]:
    up, down, _ = directions(rows)
    return [Fate(value) for value in fates_of(record(**changes), rows, up, down).fate.tolist()]


def test_late_is_judged_in_each_direction_above_its_minimum() -> None:
    rows = crossings([30.0, 131.0, 30.0, 130.0], [40.0, 40.0, 141.0, 140.0])
    found = fates(rows, deadline_ns=100 * MS)
    assert found == [Fate.ON_TIME, Fate.LATE, Fate.LATE, Fate.ON_TIME]
    assert fates(rows, deadline_ns=100 * MS, one_way=True)[2] == Fate.ON_TIME


@pytest.mark.parametrize(
    ("up_ms", "down_ms", "fate"),
    [
        (1500, 440, Fate.LATE),
        (2100, 40, Fate.LOST_UP),
        (30, 2100, Fate.LOST_DOWN),
        (1500, 700, Fate.LOST_UP),  # only together beyond T_max: the slower direction's
        (700, 1500, Fate.LOST_DOWN),
    ],
)
def test_beyond_t_max_is_lost_in_the_slower_direction(up_ms: float, down_ms: float, fate: Fate) -> None:
    rows = crossings([30.0, up_ms], [40.0, down_ms])
    assert fates(rows)[1] == fate
    found = analyse_session(record(), rows)
    assert found.down is not None
    assert (found.up.lost, found.down.lost) == (fate == Fate.LOST_UP, fate == Fate.LOST_DOWN)


def test_a_missing_log_makes_loss_unknown_not_the_nodes() -> None:
    rows = crossings([30.0, 30.0, None, None], [40.0, 40.0, None, None])
    assert fates(rows)[2:] == [Fate.LOST_UP, Fate.LOST_UP]
    assert fates(rows, outcome="died")[2:] == [Fate.LOST_UNKNOWN, Fate.LOST_UNKNOWN]
    until = {"log_until_ns": int(rows["sent_ns"][2])}
    assert fates(rows, outcome="died", client=until)[2:] == [Fate.LOST_UP, Fate.LOST_UNKNOWN]
    rows["up_repaired_ns"][3] = rows["sent_ns"][3] + NODE_AHEAD  # a repair came, so the original did not
    assert fates(rows, outcome="died")[2:] == [Fate.LOST_UNKNOWN, Fate.LOST_UP]


def test_unsent_packets_are_none_of_the_networks() -> None:
    rows = crossings([30.0] * 4, [40.0] * 4)
    rows["unsent"][1] = Unsent.CC_LIMITED
    for name in ("sent_ns", "node_received_ns", "node_sent_ns", "received_ns"):
        rows[name][1] = NEVER
    rows["sent_ns"][3] = rows["node_received_ns"][3] = NEVER  # a row cut off before it told why
    found = analyse_session(record(), rows)
    assert (found.counts["unsent_cc_limited"], found.counts["unsent_aborted"]) == (1, 1)
    assert (found.counts["sent"], found.loss_ratio) == (2, 0)


def test_a_reflected_repair_does_not_undo_the_loss() -> None:
    rows = crossings([30.0, 30.0, 30.0], [40.0, 40.0, 40.0])
    rows["node_received_ns"][1] = NEVER
    rows["up_repaired_ns"][1] = rows["node_sent_ns"][1]
    found = analyse_session(record(), rows)
    assert (found.counts["lost_up"], found.up.recovered, found.up.residual) == (1, 1, 0)
    assert found.down is not None
    assert (found.down.sent, found.down.lost) == (3, 0)
    assert found.rtt_ms.n == 3


def test_how_long_the_node_had_a_packet_is_no_part_of_t_max() -> None:
    """A node that stood still for so long is a stall of the node: the path brought the packet in time."""
    rows = crossings([30] * 50, [30] * 50)
    held = rows["seq"] == 20
    for name in ("node_sent_ns", "received_ns"):
        rows[name][held] += 2100 * MS
    counts = analyse_session(record(), rows).counts
    assert (counts["on_time"], counts["lost_down"], counts["lost_up"]) == (50, 0, 0)
    rows["received_ns"][held] += 2100 * MS
    assert analyse_session(record(), rows).counts["lost_down"] == 1
