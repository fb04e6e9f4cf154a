"""Reordering as RFC 4737 counts it."""

from __future__ import annotations

import numpy as np
import pytest

from probe.analysis.reordering import is_reordered, reordering
from probe.metrics import NEVER


def late(arrivals: list[int]) -> list[int]:
    sequence = np.array(arrivals, np.int64)
    found: list[int] = sequence[is_reordered(np.zeros(len(sequence), np.int64), sequence)].tolist()
    return found


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        pytest.param([1, 2, 3, 5, 6, 7, 8, 4, 9, 10], [4], id="T18"),
        pytest.param([1, 2, 3, 4, 7, 5, 6, 8, 9, 10], [5, 6], id="T19"),
        pytest.param([1, 2, 3, 6, 7, 4, 5, 8, 9, 10, 12, 13, 11, 14, 15, 16], [4, 5, 11], id="T21"),
        pytest.param([1, 2, 4, 5, 6, 3, 7, 8, 9, 10], [3], id="T22 a"),
        pytest.param([1, 2, 3, 4, 8, 5, 6, 7, 9, 10], [5, 6, 7], id="T22 b"),
        pytest.param([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], [9, 8, 7, 6, 5, 4, 3, 2, 1], id="T22 c"),
        pytest.param([1, 2, 4, 5], [], id="a gap is no reordering"),
    ],
)
def test_rfc_4737_examples(arrivals: list[int], expected: list[int]) -> None:
    assert late(arrivals) == expected


def test_streams_are_apart_and_the_lost_and_unnumbered_do_not_count() -> None:
    stream = np.array([0, 0, 0, 1, 1, 1])
    sequence = np.array([5, 6, 7, 0, 1, -1])
    arrived = np.array([30, 20, NEVER, 10, 11, 5])
    found = reordering(stream, sequence, arrived)
    assert (found.hits, found.n) == (1, 4)
