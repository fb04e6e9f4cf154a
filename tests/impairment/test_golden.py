"""The model against a real kernel's netem, recorded once (tests/data/netem/README.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from probe.impairment.compare import rows
from probe.impairment.conformance import CASES, Case, tc_words
from probe.impairment.observed import Observation, bursts, figures, sending_times, through_link
from tests.impairment.golden import flips, observed, recorded

BY_NAME = {case.name: case for case in CASES}
COUNTS = [case for case in CASES if case.kind == "count"]
DELAYS = [case for case in CASES if case.kind == "delay"]
EXACT = [case for case in CASES if case.kind == "exact"]
# chi-square quantiles at .999 by degrees of freedom
CHI = {1: 10.83, 2: 13.82, 7: 24.32, 31: 61.10}


def each(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """A test of each of `cases`; where chance has the last word it takes many packets."""
    return pytest.mark.parametrize(
        "case",
        [pytest.param(case, id=case.name, marks=pytest.mark.slow if is_long(case) else ()) for case in cases],
    )


def is_long(case: Case) -> bool:
    return case.traffic.packets >= 20_000


@cache
def ours(name: str) -> Observation:
    case = BY_NAME[name]
    return through_link(case, 20261122, rounds=1 if case.kind == "exact" else 5)


def two_sample(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Chi-square of two histograms of the same bins, with possibly different totals."""
    filled = first + second > 0
    a, b = first[filled].astype(float), second[filled].astype(float)
    k = sqrt(b.sum() / a.sum())
    return float(((a * k - b / k) ** 2 / (a + b)).sum())


def test_the_recording_says_where_it_is_from() -> None:
    document = recorded()
    assert re.match(r"Linux 6\.\d+", document["kernel"])
    assert "iproute2" in document["iproute2"]
    assert set(document["cases"]) == set(BY_NAME)
    for name, facts in document["cases"].items():
        assert facts["tc"] == BY_NAME[name].tc
        assert facts["packets"] == BY_NAME[name].traffic.packets
        assert facts["shown"].startswith("qdisc netem")
        assert re.fullmatch("[0-9a-f]{7,}", facts["commit"])


@each(CASES)
def test_every_figure_is_within_its_band(case: Case) -> None:
    table = list(rows(case, figures(case, observed(case)), figures(case, ours(case.name))))
    assert table or case.name == "corrupt 5 %"
    assert [row for row in table if not row.inside] == []


@each(CASES)
def test_what_netem_promises_is_what_it_does(case: Case) -> None:
    """The closed forms that a profile's author is shown."""
    for row in rows(case, figures(case, observed(case)), figures(case, ours(case.name))):
        if row.set is not None:
            assert row.kernel == pytest.approx(row.set, abs=max(1.5 * row.band, 0.02 * abs(row.set))), row


@each(case for case in COUNTS if case.impairment.loss is not None and case.impairment.duplicate is None)
def test_bursts_have_the_kernels_lengths(case: Case) -> None:
    kernel, mine = (bursts(seen.copies == 0) for seen in (observed(case), ours(case.name)))
    histograms = [np.bincount(np.minimum(runs, 8), minlength=9)[1:] for runs in (kernel, mine)]
    assert two_sample(histograms[0], histograms[1]) < CHI[7]


@each(case for case in COUNTS if case.impairment.duplicate is not None)
def test_packets_come_never_once_or_twice_as_in_the_kernel(case: Case) -> None:
    kernel, mine = (np.bincount(seen.copies, minlength=3) for seen in (observed(case), ours(case.name)))
    # A chain's losses are not independent: its inflation of the variance is below 4 here.
    assert two_sample(kernel, mine) < CHI[2] * (4 if case.name.endswith("5 30") else 1)


@each(
    case
    for case in DELAYS
    if case.impairment.rate_bps is None and case.impairment.slot is None and not case.impairment.ordered
)
def test_delays_have_the_kernels_distribution(case: Case) -> None:
    kernel, mine = observed(case).delay_ns, ours(case.name).delay_ns
    assert kernel is not None
    assert mine is not None
    # Bins rather than Kolmogorov-Smirnov: a share of pareto's delays is one and the same value.
    step = 1 << 14
    kernel, mine = kernel // step, mine // step
    edges = np.unique(np.quantile(mine, np.linspace(0, 1, 33)[1:-1]))
    histograms = [np.bincount(np.searchsorted(edges, delay), minlength=32) for delay in (kernel, mine)]
    assert two_sample(histograms[0], histograms[1]) < CHI[31]


@each(case for case in DELAYS if not case.impairment.ordered)
def test_no_delay_knows_of_the_one_before(case: Case) -> None:
    for seen in (observed(case), ours(case.name)):
        assert seen.delay_ns is not None
        assert seen.sequence is not None
        delay = seen.delay_ns[np.argsort(seen.sequence, kind="stable")]
        assert abs(np.corrcoef(delay[1:], delay[:-1])[0, 1]) < 4 / sqrt(len(delay))


@each(EXACT)
def test_where_nothing_is_left_to_chance_the_same_packets_come_at_the_same_times(case: Case) -> None:
    kernel, mine = observed(case), ours(case.name)
    if case.name == "slot 20 ms packets 5":  # its first slot depends on when tc ran
        assert kernel.sequence is not None
        assert kernel.delay_ns is not None
        release = sending_times(case.traffic)[kernel.sequence] + kernel.delay_ns
        together = np.diff(np.flatnonzero(np.diff(release) > 1_000_000))
        assert set(together.tolist()) == {5}
        return
    assert kernel.copies.tolist() == mine.copies.tolist()
    assert kernel.sequence is not None
    assert mine.sequence is not None
    assert kernel.sequence.tolist() == mine.sequence.tolist()
    assert kernel.delay_ns is not None
    assert mine.delay_ns is not None
    assert np.abs(kernel.delay_ns - mine.delay_ns).max() <= 1000


def test_the_kernel_flips_one_bit_of_the_packets_it_damages() -> None:
    case = BY_NAME["corrupt 5 %"]
    seen = flips(case)
    assert seen[2:].sum() == 0
    # 1000 of the 1042 bytes are payload; where the bit is in a header most packets do not arrive
    expected = 0.05 * 1000 / 1042
    spread = sqrt(expected * (1 - expected) / case.traffic.packets)
    assert seen[1] / case.traffic.packets == pytest.approx(expected, abs=4 * spread + 0.002)


def test_tc_is_given_room_for_all_packets_but_where_the_limit_is_the_case() -> None:
    assert tc_words(BY_NAME["loss 10 %"]) == ["root", "netem", "limit", "1000000", "loss", "10%"]
    assert tc_words(BY_NAME["limit 50, delay 100 ms at 1000/s"])[-2:] == ["limit", "50"]
