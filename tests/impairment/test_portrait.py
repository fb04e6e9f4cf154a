"""The picture of a network is what its settings say: time lines step by step, outages where packets meet them."""

from __future__ import annotations

from math import inf

import numpy as np

from probe.impairment.course import Delivery, Outage, Step, Timeline
from probe.impairment.portrait import PROBE_PPS, portraits
from probe.impairment.profile import Impairment, Loss, NetworkProfile

MS, S = 1_000_000, 1_000_000_000


def network(up: Impairment, down: Impairment | None = None) -> NetworkProfile:
    return NetworkProfile("made", "made", up, down or Impairment(), "the test")


def test_a_time_line_is_drawn_step_by_step() -> None:
    good, poor = Impairment(40 * MS, rate_bps=1_000_000), Impairment(400 * MS, rate_bps=100_000)
    line = Timeline((Step(2 * S, good), Step(1 * S, good, "drop"), Step(1 * S, poor)))
    up, down = portraits(network(Impairment(40 * MS, rate_bps=1_000_000, timeline=line)), 1, 8 * S, 8)
    assert up.packets == 8 * PROBE_PPS
    assert up.lost_ratio.tolist() == [0, 0, 1, 0, 0, 0, 1, 0]
    assert np.isnan(up.median_ns).tolist() == [False, False, True, False, False, False, True, False]
    service_ms = 62 * 8 / 1000  # 20 bytes of payload and 42 of headers at 1 Mbit/s
    assert np.allclose(up.median_ns[[0, 1, 4, 5]] / 1e6, 40 + service_ms, atol=1e-3)
    assert np.allclose(up.median_ns[[3, 7]] / 1e6, 400 + 10 * service_ms, atol=1e-2)
    assert np.allclose(up.rate_bps, [1e6, 1e6, 0, 1e5] * 2, rtol=1e-6)
    assert (down.median_ns == 0).all()
    assert (down.rate_bps == inf).all()


def test_a_hold_delays_to_its_end_and_the_line_stands_still_meanwhile() -> None:
    held = Impairment(10 * MS, rate_bps=1_000_000, outages=(Outage("hold", (2 * S, 2 * S), (1 * S, 1 * S)),))
    up, _ = portraits(network(held), 1, 6 * S, 6)
    assert (up.lost_ratio == 0).all()
    assert np.allclose(up.rate_bps, [1e6, 1e6, 0, 1e6, 1e6, 0], rtol=1e-6)
    assert np.allclose(up.largest_ns[[2, 5]] / 1e9, 1, atol=0.03)
    assert np.allclose(up.median_ns[2] / 1e6, 510, atol=25)


def test_both_directions_are_interrupted_at_the_same_time() -> None:
    outages = (Outage("drop", (1 * S, 4 * S), (200 * MS, 900 * MS)),)
    up, down = portraits(network(Impairment(outages=outages), Impairment(outages=outages)), 3, 30 * S, 30)
    assert up.lost_ratio.max() > 0
    assert up.lost_ratio.tolist() == down.lost_ratio.tolist()


def test_a_trace_and_a_condition_without_a_limit_are_told_apart() -> None:
    trace = Delivery("made", tuple(range(1, 1001)))
    free = Timeline((Step(1 * S, Impairment(rate_bps=64_000)), Step(1 * S, Impairment())))
    up, down = portraits(network(Impairment(delivery=trace), Impairment(timeline=free)), 1, 4 * S, 4)
    assert np.allclose(up.rate_bps, 1504 * 8 * 1000, rtol=0.002)
    assert np.allclose(down.rate_bps, [64_000, inf] * 2)


def test_loss_is_that_of_the_settings() -> None:
    up, down = portraits(network(Impairment(loss=Loss(0.3, 4)), Impairment(loss=Loss(0.05))), 7, 600 * S, 10)
    # 30,000 packets; the errors are those of Gilbert-Elliott and of independent losses (4 sigma)
    inflation = 1 + 2 * (1 - 0.1071 - 0.25) / (0.1071 + 0.25)
    assert abs(up.lost_ratio.mean() - 0.3) < 4 * (0.3 * 0.7 * inflation / up.packets) ** 0.5
    assert abs(down.lost_ratio.mean() - 0.05) < 4 * (0.05 * 0.95 / down.packets) ** 0.5
