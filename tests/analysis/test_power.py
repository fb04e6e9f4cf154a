"""Which shift of the evening a campaign would find, simulated from measured days."""

from __future__ import annotations

import numpy as np

from probe.analysis.power import detected
from probe.objectives import Evidence
from tests.analysis.test_fortnight import DAYS, fortnight


def test_a_great_shift_is_found_and_none_is_not() -> None:
    sessions = [examined.summary for examined in fortnight(20, np.random.default_rng(5))]
    assert detected(sessions, Evidence(), DAYS, 60, seed=1, simulations=20) == 1
    assert detected(sessions, Evidence(), DAYS, 0, seed=1, simulations=20) == 0
