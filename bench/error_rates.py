"""How often verdicts are wrong, over many kinds of vendors: the long version of tests/analysis/test_error_rates.py.

python -m bench.error_rates [REPEATS]: a line a kind of vendor, metric and closeness to the limit.
"""

from __future__ import annotations

import sys

import numpy as np

from tests.analysis.test_error_rates import EIGHT_ON_SIX, NEAR, ONE, outcomes, rates
from tests.analysis.vendors import Vendor

BOTH: dict[str, tuple[float, ...]] = {"rtt.p95": NEAR, "loss": NEAR}
TWO_A_DAY = np.repeat(np.arange(7), 2)
KINDS = {
    "8 sessions of 60 s on 6 days": (Vendor(), EIGHT_ON_SIX, 60),
    "the same, sluggish queues and long bursts": (Vendor(tau_s=5.0, burst=25.0), EIGHT_ON_SIX, 60),
    "the same, days that differ": (Vendor(day=0.12), EIGHT_ON_SIX, 60),
    "8 sessions of 300 s on 6 days, short bursts": (Vendor(burst=4.0), EIGHT_ON_SIX, 300),
    "14 sessions of 60 s on 7 days": (Vendor(), TWO_A_DAY, 60),
    "14 sessions of 60 s on 7 days that differ": (Vendor(day=0.12), TWO_A_DAY, 60),
    "one session of 40 s": (Vendor(day=0.0, session=0.0), ONE, 40),
    "one session of 300 s": (Vendor(day=0.0, session=0.0), ONE, 300),
}


def main(repeats: int) -> None:
    """Print passes and fails as shares; truth / limit below 1 should pass, above 1 should fail."""
    print(f"{'vendor':46} {'metric':8} {'truth/limit':>11} {'pass':>6} {'fail':>6}")
    for name, (vendor, days, seconds) in KINDS.items():
        for (metric, factor), found in outcomes(vendor, days, seconds, BOTH, repeats).items():
            passed, failed = rates(found)
            print(f"{name:46} {metric:8} {factor:11.2f} {passed:6.1%} {failed:6.1%}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
