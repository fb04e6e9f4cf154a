"""What a whole session is summarised to."""

from __future__ import annotations

import json

import numpy as np
import pytest

from probe.analysis.results import COUNTS
from probe.analysis.session import analyse_session
from probe.metrics import NEVER, empty_rows
from tests.analysis.made import MS, crossings, noisy, record, steady, summary


def test_the_json_is_the_contracts() -> None:
    document = summary(noisy(500, 1)).to_json()
    json.dumps(document, allow_nan=False)
    names = {"vendor", "node", "scenario", "network", "window", "transport", "started_at", "local_time"}
    names |= {"counts", "rtt_ms", "connect_ms", "handshake_ms", "loss_ratio", "up", "down", "quality"}
    assert names <= document.keys()
    assert tuple(document["counts"]) == COUNTS
    of_direction = {"loss_ratio", "residual_ratio", "recovered_ratio", "recovery_ms", "pdv_ms", "ipdv_ms"}
    assert of_direction | {"jitter_ms", "reordered_ratio"} <= document["up"].keys() & document["down"].keys()
    assert list(document["rtt_ms"]) == [
        *("n", "min", "mean", "p50", "p90", "p95", "p99", "p99_9", "max", "infinite")
    ]
    assert {"grade", "reasons", "stamps", "lateness_ms", "drops"} <= document["quality"].keys()


def test_the_round_trip_leaves_out_the_nodes_own_time() -> None:
    rows = crossings([30.0] * 10, [40.0] * 10)
    rows["node_sent_ns"] += 3 * MS
    rows["received_ns"] += 3 * MS
    found = summary(rows)
    assert (found.rtt_ms.min, found.rtt_ms.max) == (70, 70)


def test_lost_packets_are_infinite_round_trips() -> None:
    found = summary(steady(100, lost_up=4, lost_down=2))
    assert (found.rtt_ms.n, found.rtt_ms.p90, found.rtt_ms.p95) == (100, 70, None)
    assert found.rtt_ms.infinite == ("p95", "p99", "p99_9")
    assert found.loss_ratio == 0.06
    assert found.up.loss_ratio == 0.04
    assert found.down is not None
    assert found.down.loss_ratio == pytest.approx(2 / 96)


def test_a_one_way_stream_has_no_way_back() -> None:
    rows = crossings([30.0, None, 30.0, 300.0], [None] * 4)
    rows["node_sent_ns"] = NEVER
    rows["down_seq"] = -1
    found = summary(rows, one_way=True, deadline_ns=200 * MS)
    assert found.down is None
    assert (found.rtt_ms.n, found.rtt_ms.p50) == (0, None)
    assert (found.counts["on_time"], found.counts["late"], found.counts["lost_up"]) == (2, 1, 1)
    assert found.to_json()["down"] is None


def test_a_session_without_packets_has_no_values() -> None:
    found = summary(empty_rows(0), outcome="unreachable", connect_ms=None)
    document = found.to_json()
    assert (found.loss_ratio, found.up.loss_ratio, document["reachable_ratio"]) == (None, None, 0.0)
    assert found.rtt_ms.n == 0
    assert found.values["connect"].value("p50") == float("inf")


def test_rows_of_a_session_that_never_started() -> None:
    found = summary(empty_rows(20), outcome="unreachable", connect_ms=None)
    assert (found.counts["scheduled"], found.counts["unsent_aborted"]) == (20, 20)
    assert found.grade == "good"


def test_side_counts_are_the_nodes_and_ours() -> None:
    rows = steady(1000)
    rows["up_duplicates"][3] = 2
    rows["down_retransmissions"][4] = 1
    found = summary(rows, counters={"policed": 1, "socket_dropped": 2, "corrupt": 3}, client={"corrupt": 4})
    assert [found.counts[name] for name in ("policed", "socket_dropped", "corrupt")] == [1, 2, 7]
    assert (found.counts["duplicates"], found.up.duplicates) == (2, 2)
    assert found.down is not None
    assert found.down.retransmissions == 1


def test_the_worst_call_is_the_one_that_lost_most() -> None:
    up: list[float | None] = [30.0] * 60
    up[25] = up[26] = None
    up[45] = None
    found = analyse_session(record(calls=3), crossings(up, [40.0] * 60, streams=3)).worst_call
    assert found == {"stream": 1, "loss_ratio": 0.1, "rtt_p95_ms": None, "infinite": ["rtt_p95_ms"]}
    slow = [*[30.0] * 40, *[50.0] * 20]
    found = analyse_session(record(calls=3), crossings(slow, [40.0] * 60, streams=3)).worst_call
    assert found == {"stream": 2, "loss_ratio": 0.0, "rtt_p95_ms": 90.0, "infinite": []}
    assert summary(steady(10)).worst_call is None


def test_worst_call_percentiles_are_the_populations() -> None:
    rows = noisy(930, 5, streams=3, loss=0.02)
    found = analyse_session(record(calls=3), rows).worst_call
    assert found is not None
    alone = analyse_session(record(), rows[rows["stream"] == found["stream"]])
    assert found["loss_ratio"] == alone.loss_ratio
    assert found["rtt_p95_ms"] == pytest.approx(alone.rtt_ms.p95, abs=1e-3)


def test_duplicated_calls_do_not_change_the_streams_own_values() -> None:
    one = noisy(400, 6)
    two = np.concatenate([one, one])
    two["stream"][400:] = 1
    single, double = summary(one), summary(two)
    assert double.up.jitter_ms["max"] == single.up.jitter_ms["max"]
    assert double.up.ipdv_ms.p95 == single.up.ipdv_ms.p95
    assert double.up.reordered_ratio == single.up.reordered_ratio
