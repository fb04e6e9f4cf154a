"""How often verdicts are wrong, and how often there is one: simulated vendors near their limits.

The long version, over more kinds of vendors, is bench/error_rates.py.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from probe.analysis.verdict import decide
from probe.objectives import Evidence, parse_expression
from tests.analysis.vendors import Vendor, delays, losses, session, true_p95

pytestmark = pytest.mark.slow

EIGHT_ON_SIX = np.array([0, 0, 1, 2, 2, 3, 4, 5])
ONE = np.array([0])


def outcomes(
    vendor: Vendor, days: NDArray[np.int64], seconds: int, times: dict[str, tuple[float, ...]], repeats: int
) -> dict[tuple[str, float], Counter[str]]:
    """Verdicts by (metric, how many times the limit the truth is)."""
    random = np.random.default_rng(6)
    each = np.tile(days, (repeats, 1))
    packets = seconds * 50
    shape = (*each.shape, packets)
    trips = delays(vendor, each, packets, random) if "rtt.p95" in times else np.broadcast_to(60.0, shape)
    lost = losses(vendor, each, packets, random) if "loss" in times else np.broadcast_to(False, shape)
    truth = {"rtt.p95": true_p95(vendor) if "rtt.p95" in times else 0.0, "loss": 100 * vendor.loss}
    found: dict[tuple[str, float], Counter[str]] = {}
    for trip, gone in zip(trips, lost, strict=True):
        sessions = [session(int(d), n, trip[n], gone[n]) for n, d in enumerate(days)]
        for metric, factors in times.items():
            unit = "ms" if metric == "rtt.p95" else "%"
            for factor in factors:
                limit = parse_expression(f"{metric} < {truth[metric] / factor:.6f}{unit}")
                verdict = decide(limit, sessions, Evidence()).verdict
                found.setdefault((metric, factor), Counter())[verdict] += 1
    return found


def rates(found: Counter[str]) -> tuple[float, float]:
    """(passes, fails) as shares."""
    return found["pass"] / found.total(), found["fail"] / found.total()


NEAR = (0.67, 0.98, 1.02, 1.5)
"""How many times the limit the truth is."""


@pytest.mark.parametrize("vendor", [Vendor(), Vendor(tau_s=5.0)], ids=["usual", "sluggish"])
def test_delays_of_eight_sessions_on_six_days(vendor: Vendor) -> None:
    found = outcomes(vendor, EIGHT_ON_SIX, 60, {"rtt.p95": NEAR}, 200)
    good, under, over, bad = (rates(found["rtt.p95", factor]) for factor in NEAR)
    assert good[0] >= 0.8
    assert bad[1] >= 0.8
    assert under[1] < 0.05  # wrong fail, 2 % within the limit
    assert over[0] < 0.05  # wrong pass, 2 % beyond it


def test_losses_in_bursts_of_eight_sessions_on_six_days() -> None:
    found = outcomes(Vendor(burst=4.0), EIGHT_ON_SIX, 300, {"loss": NEAR}, 150)
    good, under, over, bad = (rates(found["loss", factor]) for factor in NEAR)
    assert good[0] >= 0.8
    assert bad[1] >= 0.8
    assert under[1] < 0.05
    assert over[0] < 0.05


def test_one_short_session_is_seldom_wrong() -> None:
    vendor = Vendor(tau_s=3.0, burst=4.0, day=0.0, session=0.0)  # the verdict speaks of these minutes alone
    found = outcomes(vendor, ONE, 40, {"rtt.p95": (0.98, 1.02), "loss": (0.98, 1.02)}, 200)
    for metric in ("rtt.p95", "loss"):
        assert rates(found[metric, 0.98])[1] < 0.05
        assert rates(found[metric, 1.02])[0] < 0.05
