"""The histogram of how late packets left."""

from __future__ import annotations

import numpy as np
import pytest

from probe.net.lateness import Lateness, LatenessSummary


def test_quantiles_are_within_a_bucket_of_the_exact_ones() -> None:
    sample = np.random.default_rng(1).lognormal(11, 1.5, 20_000).astype(np.int64)
    lateness = Lateness()
    for part in np.array_split(sample, 7):
        lateness.add(part)
    summary = lateness.summary()
    p50, p99 = np.percentile(sample, [50, 99], method="inverted_cdf") / 1e3
    assert summary.n == len(sample)
    assert summary.p50_us == pytest.approx(p50, rel=0.004)
    assert summary.p99_us == pytest.approx(p99, rel=0.004)
    assert summary.max_us == sample.max() / 1e3


def test_nothing_yet_and_nothing_late() -> None:
    lateness = Lateness()
    assert lateness.summary() == LatenessSummary(0, None, None, None)
    lateness.add(np.array([-5, 0, 0]))
    assert lateness.summary() == LatenessSummary(3, 0.0, 0.0, 0.0)


def test_however_it_is_cut_it_is_the_same() -> None:
    generator = np.random.default_rng(3)
    sample = generator.lognormal(11, 1.5, 20_000).astype(np.int64)
    cuts = np.sort(generator.choice(len(sample), 90, replace=False))  # parts of one value and of a thousand
    at_once, in_parts = Lateness(), Lateness()
    at_once.add(sample)
    for number, part in enumerate(np.split(sample, cuts)):
        in_parts.add(part)
        if number == 40:
            assert in_parts.summary().n == cuts[40]
    assert in_parts.summary() == at_once.summary()
