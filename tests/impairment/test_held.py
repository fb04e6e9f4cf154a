from __future__ import annotations

import numpy as np
import pytest

from probe.impairment.counters import LinkCounters
from probe.impairment.held import deviation, expected_loss
from probe.impairment.link import Link
from probe.impairment.profile import Chance, FourState, GilbertElliott, Impairment, Loss

MODELS = [
    None,
    Loss(0.1),
    Loss(0.3, 4),
    Loss(0.1, correlation=0.25),
    GilbertElliott(0.01, 0.1, 0.7, 0.001),
    FourState(0.02, 0.3, 0.2, 0.4, 0.005),
]


@pytest.mark.parametrize("loss", MODELS)
@pytest.mark.parametrize("packets", [50, 500, 20_000])
def test_a_link_is_held_to_what_was_set(loss: Loss | None, packets: int) -> None:
    impairment = Impairment(loss=loss)
    found = []
    for seed in range(20):
        link = Link(impairment, seed)
        link.push(np.zeros(packets, np.int64), np.full(packets, 100))
        found.append(deviation(impairment, link.counters))
    assert sum(sentence is not None for sentence in found) <= 1


def test_a_link_that_does_something_else_is_found() -> None:
    sentence = deviation(Impairment(loss=Loss(0.1)), LinkCounters(offered=5000, lost=100, delivered=4900))
    assert sentence == "2.00 % of 5000 packets were lost, set are 10.00 % +- 1.90"
    assert deviation(Impairment(), LinkCounters(offered=5000, lost=100)) is not None


def test_where_the_queue_has_a_say_nothing_is_promised() -> None:
    assert expected_loss(Impairment(rate_bps=1000, queue_ns=5)) is None
    assert expected_loss(Impairment(limit_packets=5)) is None
    assert expected_loss(Impairment(duplicate=Chance(0.1))) is None
    assert deviation(Impairment(loss=Loss(0.5)), LinkCounters()) is None
