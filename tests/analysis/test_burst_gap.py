"""RFC 3611: bursts and gaps by definition, the 8-bit fields, and the event counters of Appendix A.2."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis.burst_gap import BurstGap, VoipMetrics, burst_gap, voip_metrics
from probe.analysis.burst_gap_events import EventCounters, event_counters
from probe.analysis.one_way import Mask

MS = 1_000_000
PRINTED = "11110111111111111111111X111X1011110111111111111111111X111111111" + "1"
"""RFC 3611 4.7.2; the printed string is one packet short of the 64 it speaks of."""
SHORT = "111011100011X"


def pattern(text: str) -> tuple[Mask, Mask]:
    """`0` is lost, `X` discarded."""
    letters = np.array(list(text))
    return letters == "0", letters == "X"


def test_t12_rfc_3611_pattern() -> None:
    """By the definitions; the RFC prints 84, 10 and 520: rounded densities, and the sum of two gaps."""
    lost, discarded = pattern(PRINTED)
    found = burst_gap(lost | discarded)
    assert (found.packets, found.bad, found.bursts, found.isolated, found.gaps) == (64, 6, 1, 2, 2)
    assert (found.first.tolist(), found.last.tolist()) == ([23], [34])
    assert found.burst_density == pytest.approx(1 / 3)
    assert found.gap_density == pytest.approx(2 / 52)
    assert (found.mean_burst, found.mean_gap) == (12, 26)
    assert voip_metrics(lost, discarded, 10 * MS) == VoipMetrics(12, 12, 85, 9, 120, 260)


def test_t13_definition() -> None:
    """The pattern of an independent implementation's test, G_min 2."""
    lost, discarded = pattern(SHORT)
    found = burst_gap(lost | discarded, 2)
    assert (found.first.tolist(), found.last.tolist(), found.isolated) == ([7], [9], 2)
    assert (found.burst_density, found.gap_density, found.mean_gap) == (1, 0.2, 5)
    assert voip_metrics(lost, discarded, 10 * MS, 2) == VoipMetrics(78, 19, 255, 51, 30, 50)


def test_t13_event_counters() -> None:
    """RFC 3611 A.2, started with lost = 1 and pkt = 0 as that implementation does."""
    lost, discarded = pattern(SHORT)
    found = event_counters(lost | discarded, 2)
    assert found == EventCounters(c11=8, c13=1, c14=2, c22=0, c23=0, c33=2)
    assert found.total == 14
    assert found.burst_density == 1
    assert found.gap_density == 0.2
    assert (found.mean_burst, found.mean_gap) == (3, 11)


def test_trap_1_the_event_counters_depend_on_their_start() -> None:
    lost, discarded = pattern(PRINTED)
    densities = [int(256 * event_counters(lost | discarded, 16, start).burst_density) for start in (0, 1)]
    assert densities[0] == 75
    assert burst_gap(lost | discarded).burst_density != pytest.approx(densities[0] / 256)


def by_hand(text: str, g_min: int, lost: int) -> EventCounters:
    """A.2 as printed, an event at a time."""
    count = dict.fromkeys(("c11", "c13", "c14", "c22", "c23", "c33"), 0)
    pkt = 0
    for letter in text:
        if letter == "1":
            pkt += 1
            continue
        if pkt >= g_min:
            count["c14" if lost == 1 else "c13"] += 1
            lost = 1
            count["c11"] += pkt
        else:
            lost += 1
            if pkt == 0:
                count["c33"] += 1
            else:
                count["c23"] += 1
                count["c22"] += pkt - 1
        pkt = 0
    return EventCounters(**count)


@given(st.text("10", max_size=60), st.integers(1, 5), st.integers(0, 2))
def test_event_counters_are_those_of_the_loop(text: str, g_min: int, start: int) -> None:
    assert event_counters(pattern(text)[0], g_min, start) == by_hand(text, g_min, start)


@given(st.text("110", max_size=60), st.integers(1, 5))
def test_bursts_and_gaps_divide_the_series(text: str, g_min: int) -> None:
    bad = pattern(text)[0]
    found = burst_gap(bad, g_min)
    inside = np.zeros(len(bad), np.bool_)
    for first, last in zip(found.first.tolist(), found.last.tolist(), strict=True):
        assert bad[first] and bad[last] and last > first
        assert "1" * g_min not in text[first : last + 1]
        assert "0" not in text[max(0, first - g_min) : first] + text[last + 1 : last + 1 + g_min]
        inside[first : last + 1] = True
    assert found.burst_packets == np.count_nonzero(inside)
    assert found.isolated == np.count_nonzero(bad & ~inside)
    assert found.gaps == len([run for run in "".join("b" if x else "g" for x in inside).split("b") if run])


def test_of_nothing_and_of_all() -> None:
    nothing = burst_gap(np.zeros(0, np.bool_))
    assert nothing == BurstGap(0, 0, nothing.first, nothing.last, 0, 0)
    assert (nothing.burst_density, nothing.gap_density, nothing.mean_gap) == (None, None, None)
    gone = burst_gap(np.ones(5, np.bool_))
    assert (gone.bursts, gone.burst_density, gone.gaps, gone.gap_density) == (1, 1, 0, None)
    clean = np.zeros(5, np.bool_)
    assert burst_gap(clean).gap_density == 0
    assert voip_metrics(clean, clean, 20 * MS) == VoipMetrics(0, 0, 0, 0, 0, 100)
    assert event_counters(clean).mean_gap is None
