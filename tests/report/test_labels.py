from __future__ import annotations

from probe.report import labels
from tests.report.samples import CELL, session


def test_the_cell_of_a_threshold_in_one_line() -> None:
    assert labels.of_scope(CELL) == "alpha/jkt-1 voice clean peak udp"
    assert labels.of_scope({"vendor": "alpha", "node": "jkt-1"}) == "alpha/jkt-1"
    assert (
        labels.of_scope({"isp": "telkomsel", "network": ["clean", "lossy-3g"]}) == "clean|lossy-3g telkomsel"
    )
    assert labels.of_scope({}) == "the whole run"


def test_the_same_order_in_every_run_with_controls_last() -> None:
    measured = [
        session(vendor="own", node="own-sg-1", role="control", index=0),
        session(vendor="beta", window="offpeak", index=1),
        session(vendor="alpha", window="peak", index=2),
        session(vendor="beta", window="peak", index=3),
    ]
    assert [one.record.index for one in labels.in_order(measured)] == [2, 3, 1, 0]


def test_controls_are_named_as_such() -> None:
    assert labels.node_of(session(vendor="own", node="sg", role="control")) == "own/sg (control)"
    assert labels.node_of(session(vendor="control", node="sg", role="control")) == "control/sg"


def test_emulated_nodes_are_marked_only_beside_real_ones() -> None:
    one = session(emulated=True)
    assert labels.node_of(one) == "alpha/jkt-1"
    assert labels.node_of(one, mixed=True) == "alpha/jkt-1 (emulated)"
