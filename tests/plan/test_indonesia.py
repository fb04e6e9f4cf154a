"""The story of the shipped plan, in virtual time: one vendor good all day, one plainly bad in the evening."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from probe.impairment.profile import NetworkProfile
from probe.metrics import NEVER
from probe.plan.load import load_plan
from tests.exchange import exchange

LOADED = load_plan(Path(__file__).parents[2] / "profiles" / "indonesia.yaml", {})
PATHS = {
    (vendor.name, window): LOADED.networks[name]
    for vendor in LOADED.plan.vendors
    for window, name in (vendor.nodes[0].path or {}).items()
}


def measured(network: NetworkProfile, seed: int) -> tuple[float, float]:
    """(p95 of the round trip in ms with lost as infinite, loss ratio) of the plan's voice, no weak network."""
    seconds = LOADED.plan.scenarios["voice"].duration / 1e9
    rows = exchange(network.up, network.down, preset="voice", seconds=seconds, seed=seed).rows
    arrived = rows["received_ns"] != NEVER
    turnaround = rows["node_sent_ns"] - rows["node_received_ns"]
    delay = np.where(arrived, (rows["received_ns"] - rows["sent_ns"] - turnaround) / 1e6, np.inf)
    return float(np.percentile(delay, 95, method="inverted_cdf")), 1 - float(arrived.mean())


@pytest.mark.slow
@pytest.mark.parametrize(("vendor", "window"), [key for key in PATHS if key != ("samudra", "peak")])
def test_all_but_one_pass_comfortably(vendor: str, window: str) -> None:
    for seed in range(5):
        p95, loss = measured(PATHS[vendor, window], seed)
        assert p95 < 100  # the limit is 200 ms
        assert loss <= 0.01  # the limit is 5 %


@pytest.mark.slow
def test_the_bad_evening_fails_whatever_the_seed() -> None:
    for seed in range(20):
        p95, _ = measured(PATHS["samudra", "peak"], seed)
        assert p95 > 280
