"""Loss distances, periods and runs: the examples of RFC 3357, and a loop that counts them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.analysis.loss_pattern import loss_pattern
from probe.analysis.one_way import Mask


def lost_at(positions: list[int], packets: int) -> Mask:
    lost = np.zeros(packets, np.bool_)
    lost[positions] = True
    return lost


def test_t15_rfc_3357_example() -> None:
    """RFC 3357 5: packets 2, 5, 7, 9 and 10 are lost."""
    found = loss_pattern(lost_at([2, 5, 7, 9, 10], 11))
    assert found.distances.tolist() == [0, 3, 2, 2, 1]
    assert found.periods.tolist() == [1, 2, 3, 4, 4]
    assert found.count == 4
    assert found.lengths.tolist() == [1, 1, 1, 2]
    assert found.between.tolist() == [0, 3, 2, 2]
    assert (found.noticeable(2).hits, found.noticeable(2).n) == (3, 5)


@pytest.mark.parametrize(
    ("positions", "hits"), [([100, 175, 275, 290, 400], 2), ([100, 200, 300, 400, 500], 0)]
)
def test_t15_noticeable_rate(positions: list[int], hits: int) -> None:
    """RFC 3357 6.1, delta = 99."""
    share = loss_pattern(lost_at(positions, 600)).noticeable(99)
    assert (share.hits, share.n) == (hits, 5)


def test_t16_burst_ratio() -> None:
    """quality.md T16: runs 3, 1, 2 in 100 packets."""
    found = loss_pattern(lost_at([10, 11, 12, 40, 70, 71], 100))
    assert found.lengths.tolist() == [3, 1, 2]
    assert found.mean_run == 2
    assert found.burst_ratio == pytest.approx(1.88)


def test_without_a_loss_or_with_nothing_else_there_is_no_burst_ratio() -> None:
    clean, gone = loss_pattern(np.zeros(9, np.bool_)), loss_pattern(np.ones(9, np.bool_))
    assert (clean.count, clean.mean_run, clean.burst_ratio, clean.noticeable(9).ratio) == (
        0,
        None,
        None,
        None,
    )
    assert (gone.count, gone.mean_run, gone.burst_ratio) == (1, 9, None)
    assert loss_pattern(np.zeros(0, np.bool_)).count == 0


@given(st.lists(st.booleans(), max_size=60))
def test_periods_are_the_runs(bits: list[bool]) -> None:
    runs = [len(run) for run in "".join("x" if bit else " " for bit in bits).split()]
    found = loss_pattern(np.array(bits, np.bool_))
    assert found.lengths.tolist() == runs
    assert np.bincount(found.periods, minlength=1)[1:].tolist() == runs
    assert int(found.distances[1:].sum()) == (found.lost[-1] - found.lost[0] if runs else 0)
